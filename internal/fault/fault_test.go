package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKindAndHintSurviveWrapping(t *testing.T) {
	known := Errorf(Denied, "token %q: %w", "t", io.EOF).WithHint("ask %s", "Ann")
	err := fmt.Errorf("list users: %w", fmt.Errorf("page 3: %w", known))
	if KindOf(err) != Denied || !Is(err, Denied) || HintOf(err) != "ask Ann" || !errors.Is(err, io.EOF) {
		t.Errorf("kind %s, hint %q, cause %t", KindOf(err), HintOf(err), errors.Is(err, io.EOF))
	}
	if want := `list users: page 3: token "t": EOF`; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
}

func TestJSONErrorsNameNoTypesOfOurs(t *testing.T) {
	var v struct {
		Name  string
		On    bool
		N     int
		Raw   []json.RawMessage
		Names []string
		Inner *struct{ X float64 }
	}
	for text, want := range map[string]string{
		`{"Name":5}`: "rule: Name: want a string, got a number", `{"On":"x"}`: "rule: On: want true or false, got a string", `{"N":1.5}`: "rule: N: want a whole number, got 1.5",
		`{"Raw":{}}`: "rule: Raw: want a list, got an object", `{"Names":"x"}`: "rule: Names: want a list, each a string, got a string",
		`{"Inner":{"X":[]}}`: "rule: Inner.X: want a number, got a list", `[]`: "rule: want an object, got a list", `{"Name":`: "rule: unexpected end of JSON input at byte 8",
	} {
		err := json.Unmarshal([]byte(text), &v)
		if got := Errorf(Invalid, "rule: %w", err); got.Error() != want || !errors.Is(got, err) {
			t.Errorf("%s gives %q, want %q with its cause", text, got, want)
		}
	}
}

func TestHintOfACauseIsFound(t *testing.T) {
	inner := Errorf(Unavailable, "no answer").WithHint("wait")
	if got := HintOf(Errorf(Internal, "sync: %w", inner)); got != "wait" {
		t.Errorf("hint %q, want that of the cause", got)
	}
	if got := HintOf(errors.Join(io.EOF, inner)); got != "wait" {
		t.Errorf("hint of a joined error %q, want wait", got)
	}
}

func TestUnclassifiedIsInternal(t *testing.T) {
	if KindOf(io.EOF) != Internal || HintOf(io.EOF) != "" || Is(nil, Internal) {
		t.Error("an error without a kind is Internal, nil is no error")
	}
}
