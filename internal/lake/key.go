package lake

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Formats of keys. Source: Airbyte's S3 destination and the Port guides that configure it.
const (
	// GuideFormat is the path format that the Port guides tell users to set.
	GuideFormat = "${NAMESPACE}/${STREAM_NAME}/year=${YEAR}/month=${MONTH}/${DAY}_${EPOCH}_"
	// AirbyteFormat is what Airbyte uses when no path format is set.
	AirbyteFormat = "${NAMESPACE}/${STREAM_NAME}/${YEAR}_${MONTH}_${DAY}_${EPOCH}_"
	// DefaultFilePattern is what Airbyte uses when no file name pattern is set.
	DefaultFilePattern = "{part_number}{format_extension}"
	// DefaultBucketPath is the bucket path of the Port guides.
	DefaultBucketPath = "data/"
	// Extension is the extension of the objects that a Writer makes with compression.
	Extension = ".jsonl.gz"
	// PlainExtension is that without compression.
	PlainExtension = ".jsonl"
	// OwnPrefix starts the keys of everything in the bucket that is ours and no record: manifests, probes.
	OwnPrefix = "_longshore/"
)

// Layout says how objects of records are named. Blank PathFormat and FilePattern mean Airbyte's own defaults.
type Layout struct {
	BucketPath  string
	PathFormat  string
	FilePattern string
	// Old makes keys as Airbyte's S3 destination up to 1.4 does: an empty bucket path gives a leading slash, the file
	// pattern knows more dates and times, and is trimmed, its spaces underscores.
	Old bool
}

// GuideLayout is the layout of the Port guides.
func GuideLayout() Layout { return Layout{BucketPath: DefaultBucketPath, PathFormat: GuideFormat} }

// KeyInput is what a key is made of.
type KeyInput struct {
	Namespace string // after the connection's mapping; "" for none
	Stream    string
	Start     time.Time // start of the run: one value for all objects of a sync
	Part      int       // from 0
	Extension string    // with its dot; see Extension
	SyncID    int64
	Now       time.Time // when the object is named, for {timestamp}; the zero value means Start
	UUID      string    // for ${UUID}; "" draws a random one
}

// Key returns the object's key as Airbyte's S3 destination 1.5 and later (or, with Old, an earlier one) makes it, odd
// corners included: a leading slash of the bucket path is kept, and the file name is glued to the path format with
// nothing in between.
func (l Layout) Key(in KeyInput) string { return l.Folder(in) + l.fillFile(in) }

// Folder is what a key begins with, up to the file name.
func (l Layout) Folder(in KeyInput) string { return cleanPath(fillPath(l.template(), in)) }

// template is bucket path and path format joined, with the variables still in it.
func (l Layout) template() string {
	format := l.PathFormat
	if strings.TrimSpace(format) == "" {
		format = AirbyteFormat
	}
	if l.Old {
		return cleanPath(l.BucketPath + "/" + format)
	}
	path := strings.TrimSuffix(l.BucketPath, "/")
	if path == "" {
		return cleanPath(format)
	}
	return cleanPath(path + "/" + format)
}

func (l Layout) filePattern() string {
	pattern := strings.TrimSpace(l.FilePattern)
	switch {
	case pattern == "":
		return DefaultFilePattern
	case l.Old:
		return strings.ReplaceAll(pattern, " ", "_")
	}
	return l.FilePattern
}

// fillPath replaces the path variables, one after the other in Airbyte's order.
func fillPath(path string, in KeyInput) string {
	t := in.Start.UTC()
	uuid := in.UUID
	if uuid == "" && strings.Contains(path, "${UUID}") {
		uuid = randomUUID()
	}
	for _, v := range [...][2]string{
		{"${NAMESPACE}", Sanitise(in.Namespace)},
		{"${STREAM_NAME}", Sanitise(in.Stream)},
		{"${YEAR}", t.Format("2006")},
		{"${MONTH}", t.Format("01")},
		{"${DAY}", t.Format("02")},
		{"${HOUR}", t.Format("15")},
		{"${MINUTE}", t.Format("04")},
		{"${SECOND}", t.Format("05")},
		{"${MILLISECOND}", fmt.Sprintf("%04d", t.Nanosecond()/int(time.Millisecond))},
		{"${EPOCH}", strconv.FormatInt(t.UnixMilli(), 10)},
		{"${UUID}", uuid},
	} {
		path = strings.ReplaceAll(path, v[0], v[1])
	}
	return path
}

// fileVariable is a variable of a file pattern.
var fileVariable = regexp.MustCompile(`\{[a-z_]+(:[^{}]*)?\}`)

// fillFile is the file's name. What is no variable stays as it is.
func (l Layout) fillFile(in KeyInput) string {
	start, now := in.Start.UTC(), in.Now
	if now.IsZero() {
		now = start
	}
	return fileVariable.ReplaceAllStringFunc(l.filePattern(), func(v string) string {
		switch v {
		case "{date}":
			return start.Format("2006_01_02")
		case "{date:yyyy_MM}":
			return start.Format("2006_01")
		case "{timestamp}":
			return strconv.FormatInt(now.UnixMilli(), 10)
		case "{part_number}":
			return strconv.Itoa(in.Part)
		case "{sync_id}":
			return strconv.FormatInt(in.SyncID, 10)
		case "{format_extension}":
			return in.Extension
		}
		if !l.Old {
			return v
		}
		switch v {
		case "{timestamp:millis}":
			return strconv.FormatInt(now.UnixMilli(), 10)
		case "{timestamp:micro}":
			return strconv.FormatInt(now.UnixMilli()*1000, 10)
		}
		if pattern, ok := datePattern(v); ok {
			return pattern.format(start)
		}
		return v
	})
}

// cleanPath collapses runs of slashes. Airbyte drops a trailing slash and appends it again, which comes to the same.
func cleanPath(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// Sanitise makes a namespace or stream name fit for a key: decomposed (NFKD), marks removed, and every character
// that S3 does not call safe replaced by an underscore. A slash stays and makes folders.
func Sanitise(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range norm.NFKD.String(name) {
		switch {
		case unicode.Is(unicode.M, r):
		case r < 0x80 && safeInKey(byte(r)):
			b.WriteByte(byte(r))
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

func safeInKey(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/!_.*')(&$@=;:+,?-", c) >= 0
}

func randomUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

// SeededUUID is the UUID that a seed decides; see [Seed].
func SeededUUID(seed string) string { return formatUUID(rawID(seed, 0)) }

func formatUUID(u [16]byte) string { return string(appendUUID(nil, u)) }

func appendUUID(dst []byte, u [16]byte) []byte {
	const hex = "0123456789abcdef"
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[c>>4], hex[c&15])
	}
	return dst
}
