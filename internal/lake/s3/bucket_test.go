package s3

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// The suite of buckets runs on this package in s3server's tests, against a real endpoint. Here are the answers that
// an endpoint of our own does not give.

func answering(t *testing.T, status int, code string) *Bucket {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if code != "" {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>m</Message></Error>`, code)
		}
	}))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Config{Endpoint: server.URL, Bucket: "b-1", AccessKey: "a", SecretKey: "s3cr3t", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswersHaveKinds(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   fault.Kind
	}{
		{404, "NoSuchBucket", fault.NotFound},
		{404, "NoSuchKey", fault.NotFound},
		{403, "AccessDenied", fault.Denied},
		{403, "InvalidAccessKeyId", fault.Denied},
		{403, "SignatureDoesNotMatch", fault.Denied},
		{400, "ExpiredToken", fault.Denied},
		{301, "PermanentRedirect", fault.Invalid},
		{400, "AuthorizationHeaderMalformed", fault.Invalid},
		{403, "SomethingNew", fault.Denied},
		{400, "SomethingNew", fault.Invalid},
		{401, "", fault.Denied},
		{409, "OperationAborted", fault.Conflict},
	} {
		_, err := answering(t, c.status, c.code).Put(t.Context(), "k", strings.NewReader("x"), 1, lake.PutOptions{})
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), `"k"`) || !strings.Contains(err.Error(), `"b-1"`) {
			t.Errorf("%d %s: %v (%v), want %v naming key and bucket", c.status, c.code, err, fault.KindOf(err), c.kind)
		}
		if c.kind == fault.Denied && fault.HintOf(err) == "" {
			t.Errorf("%d %s has no hint", c.status, c.code)
		}
		if err != nil && strings.Contains(err.Error()+fault.HintOf(err), "s3cr3t") {
			t.Errorf("%d %s: the error holds the secret: %v", c.status, c.code, err)
		}
	}
}

func TestConditionalPutRefused(t *testing.T) {
	for status, code := range map[int]string{412: "PreconditionFailed", 409: "ConditionalRequestConflict"} {
		_, err := answering(t, status, code).Put(t.Context(), "k", strings.NewReader("x"), 1, lake.PutOptions{IfAbsent: true})
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%d %s: %v, want a conflict", status, code, err)
		}
	}
}

// A store that takes every put, whatever the condition, and lists and deletes nothing.
func TestCheckReportsEachRight(t *testing.T) {
	var stored []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			stored = []byte("longshore probe\n")
		case r.Method == http.MethodGet && r.URL.Query().Has("list-type"), r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code></Error>`)
		default:
			w.Write(stored)
		}
	}))
	defer server.Close()
	b, err := Open(t.Context(), Config{Endpoint: server.URL, Bucket: "b-1", AccessKey: "a", SecretKey: "s", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{RightWrite: true, RightRead: true, RightList: false, RightDelete: false, RightConditional: false}
	rights := b.Check(t.Context(), "data/")
	if len(rights) != len(want) {
		t.Errorf("%d rights are reported, want %d", len(rights), len(want))
	}
	for _, r := range rights {
		if (r.Err == nil) != want[r.Name] {
			t.Errorf("right %s is reported as %v, want it given: %v", r.Name, r.Err, want[r.Name])
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no bucket":  {AccessKey: "a", SecretKey: "b"},
		"half a key": {Bucket: "b-1", AccessKey: "a"},
		"no URL":     {Bucket: "b-1", Endpoint: "localhost:9000"},
	} {
		if _, err := Open(t.Context(), c); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}
