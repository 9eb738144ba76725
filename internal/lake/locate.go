package lake

import (
	"regexp"
	"strings"
)

// Location is what an object's key says about its records.
type Location struct {
	Namespace string
	Stream    string
	Key       string // the key without leading slashes, as mappings see it
}

// Parse finds namespace and stream in a key; see [Layout.Locator], which is the one to keep for many keys.
func (l Layout) Parse(key string) (Location, bool) { return l.Locator().Locate(key) }

// Locator finds namespace and stream in the keys of one layout. It is safe for concurrent use.
type Locator struct {
	formats    []*regexp.Regexp // tried in order; groups 1 and 2 are namespace and stream, as named by their subexpressions
	positional *regexp.Regexp   // nil when the format does not begin with namespace and stream
}

// Locator compiles the layout for reading. A key matches the path format, in which the namespace may be missing;
// failing that, when the format begins with namespace and stream, those are the first and second segment after the
// bucket path, whatever follows (other producers name their files otherwise). A blank format means both the guides'
// and Airbyte's. Leading slashes do not matter, and a dollar sign of the format (or one before the epoch, from the
// guides' "$${EPOCH}") may be there or not.
func (l Layout) Locator() *Locator {
	formats := []string{l.PathFormat}
	if strings.TrimSpace(l.PathFormat) == "" {
		formats = []string{GuideFormat, AirbyteFormat}
	}
	loc := &Locator{}
	// One segment each is the likely reading; then no namespace; then a namespace of several folders.
	for _, namespace := range []string{`[^/]+`, ``, `.+`} {
		for _, format := range formats {
			template := Layout{BucketPath: l.BucketPath, PathFormat: format}.template()
			if !strings.Contains(template, "${NAMESPACE}") && namespace != "" {
				continue
			}
			loc.formats = append(loc.formats, compileTemplate(template, namespace))
		}
	}
	if strings.HasPrefix(strings.TrimLeft(formats[0], "/"), "${NAMESPACE}/${STREAM_NAME}/") {
		path := Layout{BucketPath: l.BucketPath, PathFormat: "${NAMESPACE}/${STREAM_NAME}/"}.template()
		loc.positional = compileTemplate(path, `[^/]+`)
	}
	return loc
}

// Locate returns where the object's records belong, or false when the key does not follow the layout.
func (l *Locator) Locate(key string) (Location, bool) {
	key = strings.TrimLeft(key, "/")
	for _, re := range append(l.formats[:len(l.formats):len(l.formats)], l.positional) {
		if re == nil {
			continue
		}
		m := re.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		at := Location{Key: key}
		for i, name := range re.SubexpNames() {
			switch {
			case name == "namespace" && at.Namespace == "":
				at.Namespace = m[i]
			case name == "stream" && at.Stream == "":
				at.Stream = m[i]
			}
		}
		if at.Stream != "" {
			return at, true
		}
	}
	return Location{}, false
}

var variable = regexp.MustCompile(`\$\{[A-Z_]+\}`)

// compileTemplate turns a path template into a pattern of the whole key. An empty namespace takes its slash with it.
func compileTemplate(template, namespace string) *regexp.Regexp {
	template = strings.TrimLeft(template, "/")
	if namespace == "" {
		template = cleanPath(strings.ReplaceAll(template, "${NAMESPACE}", ""))
		template = strings.TrimLeft(template, "/")
	}
	patterns := map[string]string{
		"${NAMESPACE}": `(?P<namespace>` + namespace + `)`, "${STREAM_NAME}": `(?P<stream>[^/]+?)`,
		"${YEAR}": `\d{4}`, "${MONTH}": `\d{2}`, "${DAY}": `\d{2}`, "${HOUR}": `\d{2}`, "${MINUTE}": `\d{2}`, "${SECOND}": `\d{2}`,
		"${MILLISECOND}": `\d{4}`, "${EPOCH}": `\$?\d+`, "${UUID}": `[0-9a-fA-F-]{36}`,
	}
	var b strings.Builder
	b.WriteString(`^`)
	literal := func(text string) {
		text = string([]rune(text)) // a byte that is no UTF-8 matches as U+FFFD
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(text), `\$`, `\$?`))
	}
	last := 0
	for _, at := range variable.FindAllStringIndex(template, -1) {
		pattern, known := patterns[template[at[0]:at[1]]]
		if !known {
			continue // an unknown variable is literal text
		}
		literal(template[last:at[0]])
		b.WriteString(pattern)
		if name, rest, named := strings.Cut(pattern, ">"); named { // a second group may not bear the name again
			patterns[template[at[0]:at[1]]] = strings.Replace(name, "?P<", "?:", 1)[:3] + rest
		}
		last = at[1]
	}
	literal(template[last:])
	b.WriteString(`.+$`) // the file name
	return regexp.MustCompile(b.String())
}

var (
	recordFile   = regexp.MustCompile(`\.jsonl(\.gz|\.zst)?(-\d+)?$`)
	probeFile    = regexp.MustCompile(`^test_\d+$`)
	anyExtension = regexp.MustCompile(`\.[A-Za-z][A-Za-z0-9]{0,9}(-\d+)?$`)
)

// Ignore says why an object is not one of records: its key is ours, an artefact of Airbyte's, or has an extension
// that is no JSON Lines. A name without extension may hold anything and is not ignored.
func Ignore(key string) (reason string, ignored bool) {
	key = strings.TrimLeft(key, "/")
	file := key[strings.LastIndexByte(key, '/')+1:]
	switch {
	case strings.HasPrefix(key, OwnPrefix):
		return "an object of our own, not of records", true
	case file == "":
		return "a folder marker", true
	case file == "_EXAMPLE":
		return "left by Airbyte's connection check", true
	case probeFile.MatchString(file):
		return "left by Airbyte's connection check", true
	case strings.HasPrefix(key, "__airbyte_tmp/") || strings.Contains(key, "/__airbyte_tmp/"):
		return "a temporary object of Airbyte's", true
	case !recordFile.MatchString(file) && anyExtension.MatchString(file):
		return "not a .jsonl, .jsonl.gz or .jsonl.zst object", true
	}
	return "", false
}

// IgnoreObject is Ignore with the listing entry at hand: an empty object holds no records.
func IgnoreObject(o Object) (reason string, ignored bool) {
	if o.Bytes == 0 {
		return "an empty object", true
	}
	return Ignore(o.Key)
}

// CompareKeys orders keys as their objects were written: runs of digits compare as numbers, so that part 10 comes
// after part 9. Keys that differ only in leading zeros compare by their bytes.
func CompareKeys(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if !isDigit(a[i]) || !isDigit(b[j]) {
			if a[i] != b[j] {
				return int(a[i]) - int(b[j])
			}
			i, j = i+1, j+1
			continue
		}
		x, y := digits(a[i:]), digits(b[j:])
		i, j = i+len(x), j+len(y)
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	if i < len(a) || j < len(b) {
		return (len(a) - i) - (len(b) - j)
	}
	return strings.Compare(a, b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digits(s string) string {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n]
}
