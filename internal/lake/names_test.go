package lake

import (
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
)

// The keys of Airbyte's S3 destination up to 1.4, where they are not those of later ones.
func TestOldKeys(t *testing.T) {
	for _, c := range []struct{ path, format, pattern, want string }{
		{"", GuideFormat, "", "/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"/", GuideFormat, "", "/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"data//", GuideFormat, "", "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz"},
		{"/data", dollarFormat, "", "/data/okta/users/year=2025/month=03/07_$1741338302034_0.jsonl.gz"},
		{"data", "", "", "data/okta/users/2025_03_07_1741338302034_0.jsonl.gz"},
		{"data", "${STREAM_NAME}/", "", "data/users/0.jsonl.gz"},
		{"data", "${STREAM_NAME}", "", "data/users0.jsonl.gz"},
		{"data", "${STREAM_NAME}/", " my file {part_number} ", "data/users/my_file_0"},
		{"data", "${STREAM_NAME}/", "{timestamp:millis}-{timestamp:micro}-{part_number}{format_extension}", "data/users/1741338303268-1741338303268000-0.jsonl.gz"},
		{"data", "${STREAM_NAME}/", "{date:yyyy-MM-dd_HHmmss.SSS}/{date:yy}{part_number}", "data/users/2025-03-07_090502.034/250"},
		{"data", "${STREAM_NAME}/", "{date:EEE}{part_number}", "data/users/{date:EEE}0"},
	} {
		l := Layout{BucketPath: c.path, PathFormat: c.format, FilePattern: c.pattern, Old: true}
		in := KeyInput{Namespace: "okta", Stream: "users", Start: keyStart, Extension: Extension, Now: time.UnixMilli(1741338303268)}
		got := l.Key(in)
		if got != c.want {
			t.Errorf("path %q, format %q, pattern %q:\n got %s\nwant %s", c.path, c.format, c.pattern, got, c.want)
		}
		if part, ok := l.Names("okta", "users").Part(got); !ok || part != 0 {
			t.Errorf("%s is part %d of its stream (%t), want 0", got, part, ok)
		}
	}
}

func TestNamesAreThoseOfTheStreamAlone(t *testing.T) {
	guide := Layout{BucketPath: "data/", PathFormat: GuideFormat}
	dollar := Layout{BucketPath: "/data", PathFormat: dollarFormat}
	files := Layout{BucketPath: "d.a", PathFormat: "${STREAM_NAME}/", FilePattern: "{date}_{timestamp}_{part_number}{format_extension}"}
	for _, c := range []struct {
		layout Layout
		key    string
		part   int // -2 for a key that is none of them
	}{
		{guide, "data/okta/users/year=2024/month=12/31_1735603200000_12.jsonl.gz", 12},
		{guide, "data/okta/users/year=2024/month=12/31_1735603200000_0.parquet", 0},
		{guide, "data/okta/users/year=2024/month=12/31_1735603200000_3.jsonl.gz-2", 3},
		{guide, "/data/okta/users/year=2024/month=12/31_1735603200000_0.jsonl.gz", -2},
		{guide, "data/okta/users/year=2024/month=12/31_$1735603200000_0.jsonl.gz", -2},
		{guide, "data/okta/users2/year=2024/month=12/31_1735603200000_0.jsonl.gz", -2},
		{guide, "data/okta2/users/year=2024/month=12/31_1735603200000_0.jsonl.gz", -2},
		{guide, "data/okta/users/2025_03_07_1741338302034_0.jsonl.gz", -2},
		{guide, "data/okta/users/year=2024/month=12/31_1735603200000_mine.jsonl.gz", -2},
		{guide, "data/okta/users/year=2024/month=12/31_1735603200000_0.txt", -2},
		{dollar, "/data/okta/users/year=2024/month=12/31_$1735603200000_0.jsonl.gz", 0},
		{dollar, "/data/okta/users/year=2024/month=12/31_1735603200000_0.jsonl.gz", -2},
		{files, "d.a/users/2025_03_07_1741338303268_4.jsonl", 4},
		{files, "dxa/users/2025_03_07_1741338303268_4.jsonl", -2},
		{Layout{BucketPath: "d", PathFormat: "${STREAM_NAME}/", FilePattern: "all{format_extension}"}, "d/users/all.jsonl.gz-1", -1},
	} {
		n := c.layout.Names("okta", "users")
		part, ok := n.Part(c.key)
		if !ok {
			part = -2
		}
		if part != c.part {
			t.Errorf("%s under %+v is part %d, want %d (prefix %s)", c.key, c.layout, part, c.part, n.Prefix)
		}
	}
	if n := guide.Names("okta", "users"); n.Prefix != "data/okta/users/year=" || !n.OfStream {
		t.Errorf("the names are %+v", n)
	}
	if n := (Layout{PathFormat: "${YEAR}/"}).Names("okta", "users"); n.OfStream || n.Prefix != "" {
		t.Errorf("a format without a stream: %+v", n)
	}
}

func TestNamesInFolder(t *testing.T) {
	l := Layout{BucketPath: "data", PathFormat: "${STREAM_NAME}/${YEAR}/"}
	n := l.NamesInFolder(KeyInput{Stream: "users", Start: keyStart})
	if n.Prefix != "data/users/2025/" {
		t.Errorf("the prefix is %s", n.Prefix)
	}
	for key, want := range map[string]bool{"data/users/2025/7.jsonl": true, "data/users/2024/7.jsonl": false, "data/users/2025/x7.jsonl": false} {
		if _, ok := n.Part(key); ok != want {
			t.Errorf("%s: %t, want %t", key, ok, want)
		}
	}
}

func TestUnknownDatesAreRefused(t *testing.T) {
	for pattern, want := range map[string]bool{"": true, "{date:yyyy_MM}{part_number}": true, "{date:yyyy}": false, "{nothing}{timestamp:millis}": true} {
		if err := (Layout{FilePattern: pattern}).Check(); (err == nil) != want || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want accepted: %t", pattern, err, want)
		}
	}
	if err := (Layout{FilePattern: "{date:yyyy}", Old: true}).Check(); err != nil {
		t.Errorf("an older version: %v", err)
	}
}

// Every key that a layout gives is one of its names.
func FuzzNames(f *testing.F) {
	f.Add("data/", GuideFormat, "", "okta", "users", 3, false)
	f.Add("/data", dollarFormat, "{date}_{part_number}{format_extension}", "team é/x", "user role#1", 0, false)
	f.Add("", "${UUID}", "{date:yyyy.MM} {part_number}", "", "users", 10, true)
	f.Add("a(${YEAR}", "x${STREAM_NAME}+/${NAMESPACE}", "{sync_id}{timestamp}", "n", "s", 1, false)
	f.Fuzz(func(t *testing.T, path, format, pattern, namespace, stream string, part int, old bool) {
		l := Layout{BucketPath: path, PathFormat: format, FilePattern: pattern, Old: old}
		in := KeyInput{Namespace: namespace, Stream: stream, Start: keyStart, Part: max(0, part), Extension: Extension, SyncID: 4}
		key, names := l.Key(in), l.Names(namespace, stream)
		if strings.Contains(path+format+pattern, "\xff") || key != validText(key) || strings.Contains(key, "\n") {
			return
		}
		if _, ok := names.Part(key); !ok {
			t.Errorf("layout %+v: key %q of %q/%q is none of its names %s", l, key, namespace, stream, names.pattern)
		}
		if _, ok := l.NamesInFolder(in).Part(key); !ok && !strings.Contains(l.template(), "${UUID}") {
			t.Errorf("layout %+v: key %q of %q/%q is not in its folder", l, key, namespace, stream)
		}
	})
}
