// Command testsum reads the output of `go test -json` and prints what a person wants of it: a line a package, the
// output of what failed, the reason of each skipped test, and the sums. It exits 1 when anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	passed, failed, skipped := 0, 0, 0
	broken := false
	output := map[string][]string{}
	var skips []string
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text())
			continue
		}
		key := e.Package + e.ImportPath + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
			continue
		case "fail", "build-fail":
			broken = true
			fmt.Print(strings.Join(output[key], ""))
			if e.Test == "" {
				fmt.Printf("FAIL\t%s\n", e.Package+e.ImportPath)
				break
			}
			failed++
		case "pass":
			if e.Test == "" {
				fmt.Printf("ok  \t%s\t%.2fs\n", e.Package, e.Elapsed)
				break
			}
			passed++
		case "skip":
			if e.Test == "" {
				break
			}
			skipped++
			skips = append(skips, e.Package+" "+e.Test+": "+reason(output[key]))
		default:
			continue
		}
		delete(output, key)
	}
	for _, s := range skips {
		fmt.Println("skipped:", s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if broken || failed > 0 || passed == 0 || in.Err() != nil {
		os.Exit(1)
	}
}

// reason is the text that the test gave to Skip.
func reason(lines []string) string {
	for _, l := range lines {
		if _, after, ok := strings.Cut(l, ".go:"); ok {
			if _, text, ok := strings.Cut(after, ": "); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	return "no reason given"
}
