package main

import "testing"

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		full        int
	}{{0, 0, 0}, {0, 10, 0}, {5, 10, barWidth / 2}, {10, 10, barWidth}, {12, 10, barWidth}} {
		full := 0
		for _, r := range bar(c.done, c.total) {
			if r == '=' {
				full++
			}
		}
		if full != c.full || len(bar(c.done, c.total)) != barWidth+2 {
			t.Errorf("bar(%d, %d) = %q, want %d of %d filled", c.done, c.total, bar(c.done, c.total), c.full, barWidth)
		}
	}
}
