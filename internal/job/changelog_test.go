package job

import (
	"context"
	"testing"
	"time"
)

func TestChangelogIsOneABlueprintWhileItIsUnderWay(t *testing.T) {
	b := newBench(t)
	for _, blueprint := range []string{"a", "a", "b"} {
		must(t, b.EnsureChangelog(t.Context(), blueprint))
	}
	if n := b.jobs("changelog", ""); n != 2 {
		t.Fatalf("%d jobs, want one a blueprint", n)
	}
	told := make(chan string, 9)
	stop := b.run(Handlers{Changelog: func(_ context.Context, blueprint string, _ time.Time) (time.Duration, bool, error) {
		told <- blueprint
		return time.Hour, blueprint == "a", nil
	}})
	if got := receive(t, told) + receive(t, told); got != "ab" && got != "ba" {
		t.Errorf("told %q, want both", got)
	}
	stop()
	// What waits is still under way; what was done may begin again.
	must(t, b.EnsureChangelog(t.Context(), "b"))
	must(t, b.EnsureChangelog(t.Context(), "a"))
	if all, done := b.jobs("changelog", ""), b.jobs("changelog", "completed"); all != 3 || done != 1 {
		t.Errorf("%d jobs, %d of them done; want 3 and 1", all, done)
	}
}
