package lake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
)

// Names are the keys that a layout gives to the objects of one stream, whichever run wrote them and in whichever format.
// Airbyte deletes what an overwrite replaces by them.
type Names struct {
	Prefix string // begins all of them
	// OfStream is false when the path format does not name the stream: then the keys are those of all streams.
	OfStream bool
	pattern  *regexp.Regexp
}

// Names returns the names of a stream's objects: the literal parts of the layout as they stand, a dollar sign included,
// and any value for what differs from object to object.
func (l Layout) Names(namespace, stream string) Names {
	template := l.template()
	path := strings.NewReplacer("${NAMESPACE}", Sanitise(namespace), "${STREAM_NAME}", Sanitise(stream)).Replace(template)
	n := l.names(cleanPath(path))
	n.OfStream = strings.Contains(template, "${STREAM_NAME}")
	return n
}

// NamesInFolder returns the names in the folder that an input leads to; its file patterns alone are left open.
func (l Layout) NamesInFolder(in KeyInput) Names {
	n := l.names("")
	folder := l.Folder(in)
	n.pattern = regexp.MustCompile(`^` + regexp.QuoteMeta(validText(folder)) + strings.TrimPrefix(n.pattern.String(), `^`))
	n.Prefix = folder + n.Prefix
	return n
}

// Part is the number of the part that a key is of, and whether the key is one of these names; -1 stands for a name
// without a number.
func (n Names) Part(key string) (part int, ok bool) {
	if !strings.HasPrefix(key, n.Prefix) {
		return 0, false
	}
	m := n.pattern.FindStringSubmatch(key)
	if m == nil {
		return 0, false
	}
	if len(m) < 2 {
		return -1, true
	}
	part, err := strconv.Atoi(m[1])
	return part, err == nil
}

// Numbered reports whether the names differ by part.
func (l Layout) Numbered() bool { return strings.Contains(l.filePattern(), "{part_number}") }

// OfRun reports whether no other run, started at another time, gives an object the same folder.
func (l Layout) OfRun() bool {
	template := l.template()
	return strings.Contains(template, "${EPOCH}") || strings.Contains(template, "${UUID}") || strings.Contains(l.filePattern(), "{sync_id}")
}

// Timed reports whether a name says when it was given.
func (l Layout) Timed() bool { return strings.Contains(l.filePattern(), "{timestamp") }

// pathPatterns are the values of the variables of a path that are not the stream's.
var pathPatterns = map[string]string{ // read only
	"${YEAR}": `\d{4}`, "${MONTH}": `\d{2}`, "${DAY}": `\d{2}`, "${HOUR}": `\d{2}`, "${MINUTE}": `\d{2}`, "${SECOND}": `\d{2}`,
	"${MILLISECOND}": `\d{4}`, "${EPOCH}": `\d+`, "${UUID}": `[0-9a-fA-F-]{36}`,
}

// names compiles a path whose stream is filled in, and the file pattern behind it.
func (l Layout) names(path string) Names {
	var n Names
	var b strings.Builder
	b.WriteString(`^`)
	open := false
	add := func(text string, variables *regexp.Regexp, value func(string) (string, bool)) {
		last := 0
		literal := func(to int) {
			b.WriteString(regexp.QuoteMeta(validText(text[last:to])))
			if !open {
				n.Prefix += text[last:to]
			}
			last = to
		}
		for _, at := range variables.FindAllStringIndex(text, -1) {
			pattern, known := value(text[at[0]:at[1]])
			if !known {
				continue
			}
			literal(at[0])
			b.WriteString(pattern)
			open, last = true, at[1]
		}
		literal(len(text))
	}
	add(path, variable, func(v string) (string, bool) {
		pattern, known := pathPatterns[v]
		return pattern, known
	})
	numbered := false
	add(l.filePattern(), fileVariable, func(v string) (string, bool) {
		pattern, known := l.filePatternOf(v)
		if v == "{part_number}" && !numbered {
			numbered = true
			return `(\d+)`, true
		}
		return pattern, known
	})
	b.WriteString(`(?:-\d+)?$`)
	n.pattern = regexp.MustCompile(b.String())
	return n
}

// filePatternOf is the values that a variable of a file pattern takes.
func (l Layout) filePatternOf(v string) (string, bool) {
	switch v {
	case "{date}":
		return `\d{4}_\d{2}_\d{2}`, true
	case "{date:yyyy_MM}":
		return `\d{4}_\d{2}`, true
	case "{timestamp}", "{part_number}":
		return `\d+`, true
	case "{sync_id}":
		return `\d*`, true
	case "{format_extension}":
		return `\.(?:jsonl|jsonl\.gz|csv|csv\.gz|avro|parquet)`, true
	}
	if !l.Old {
		return "", false
	}
	if v == "{timestamp:millis}" || v == "{timestamp:micro}" {
		return `\d+`, true
	}
	if pattern, ok := datePattern(v); ok {
		return pattern.pattern(), true
	}
	return "", false
}

// validText makes a byte that is no UTF-8 what regexp takes it for.
func validText(text string) string { return string([]rune(text)) }

// Check says what is wrong with a layout: a variable of the file pattern that this version does not know, which Airbyte
// would leave in the names.
func (l Layout) Check() error {
	for _, v := range fileVariable.FindAllString(l.filePattern(), -1) {
		if _, known := l.filePatternOf(v); known {
			continue
		}
		if name, _, _ := strings.Cut(v, ":"); name == "{date" {
			return fault.Errorf(fault.Invalid, "the file name pattern has the date %s, which is not supported", v).
				WithHint("Airbyte's S3 destination takes {date} and {date:yyyy_MM} from 1.5 on, and the fields y, M, d, H, m, s and S before.")
		}
	}
	return nil
}

// dateFields are the parts of a Java date pattern.
type dateFields []dateField

// dateField is a letter, repeated, or a piece of literal text.
type dateField struct {
	letter byte // 0 for text
	width  int
	text   string
}

// datePattern reads a variable such as {date:yyyy-MM-dd}; ok is false when it has a letter that is not known.
func datePattern(v string) (fields dateFields, ok bool) {
	pattern, is := strings.CutPrefix(v, "{date:")
	if !is {
		return nil, false
	}
	pattern = strings.TrimSuffix(pattern, "}")
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if strings.IndexByte("yMdHmsS", c) < 0 {
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '\'' {
				return nil, false
			}
			fields = append(fields, dateField{text: pattern[i : i+1]})
			i++
			continue
		}
		n := i
		for n < len(pattern) && pattern[n] == c {
			n++
		}
		if n-i > 4 {
			return nil, false
		}
		fields = append(fields, dateField{letter: c, width: n - i})
		i = n
	}
	return fields, len(fields) > 0
}

func (d dateFields) format(t time.Time) string {
	var b strings.Builder
	for _, f := range d {
		value := map[byte]int{
			'y': t.Year(), 'M': int(t.Month()), 'd': t.Day(), 'H': t.Hour(), 'm': t.Minute(), 's': t.Second(), 'S': t.Nanosecond() / int(time.Millisecond),
		}[f.letter]
		switch {
		case f.letter == 0:
			b.WriteString(f.text)
		case f.letter == 'y' && f.width == 2:
			fmt.Fprintf(&b, "%02d", value%100)
		default:
			fmt.Fprintf(&b, "%0*d", f.width, value)
		}
	}
	return b.String()
}

func (d dateFields) pattern() string {
	var b strings.Builder
	for _, f := range d {
		if f.letter == 0 {
			b.WriteString(regexp.QuoteMeta(f.text))
			continue
		}
		b.WriteString(`\d+`)
	}
	return b.String()
}
