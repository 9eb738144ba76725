package lake

import (
	"crypto/rand"
	"fmt"
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
	// OwnPrefix starts the keys of everything in the bucket that is ours and no record: manifests, probes.
	OwnPrefix = "_longshore/"
)

// Layout says how objects of records are named. Blank PathFormat and FilePattern mean Airbyte's own defaults.
type Layout struct {
	BucketPath  string
	PathFormat  string
	FilePattern string
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

// Key returns the object's key as Airbyte's S3 destination 1.5 and later makes it, odd corners included: a leading
// slash of the bucket path is kept, and the file name is glued to the path format with nothing in between.
func (l Layout) Key(in KeyInput) string {
	return cleanPath(fillPath(l.template(), in)) + fillFile(l.filePattern(), in)
}

// template is bucket path and path format joined, with the variables still in it.
func (l Layout) template() string {
	format := l.PathFormat
	if strings.TrimSpace(format) == "" {
		format = AirbyteFormat
	}
	path := strings.TrimSuffix(l.BucketPath, "/")
	if path == "" {
		return cleanPath(format)
	}
	return cleanPath(path + "/" + format)
}

func (l Layout) filePattern() string {
	if strings.TrimSpace(l.FilePattern) == "" {
		return DefaultFilePattern
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

func fillFile(pattern string, in KeyInput) string {
	t, now := in.Start.UTC(), in.Now
	if now.IsZero() {
		now = t
	}
	return strings.NewReplacer(
		"{date}", t.Format("2006_01_02"),
		"{date:yyyy_MM}", t.Format("2006_01"),
		"{timestamp}", strconv.FormatInt(now.UnixMilli(), 10),
		"{part_number}", strconv.Itoa(in.Part),
		"{sync_id}", strconv.FormatInt(in.SyncID, 10),
		"{format_extension}", in.Extension,
	).Replace(pattern)
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
