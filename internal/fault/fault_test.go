package fault

import (
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
