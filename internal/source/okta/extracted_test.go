package okta

import (
	"testing"
	"time"
)

// A machine's clock that is set back does not make what is read later the older.
func TestTimesOfExtractionDoNotGoBack(t *testing.T) {
	var e extraction
	begun := time.Now() // with what tells time passed; the clock is made up
	wall := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		passed time.Duration // since begun
		clock  time.Duration // of the machine, since wall
		want   time.Duration
	}{
		{"first", 0, 0, 0},
		{"later", time.Second, time.Second, time.Second},
		{"an hour back", 2 * time.Second, -time.Hour, 2 * time.Second},
		{"still back", 10 * time.Second, -time.Hour + 8*time.Second, 10 * time.Second},
		{"an answer that came before", 5 * time.Second, -time.Hour + 9*time.Second, 5 * time.Second},
		{"forward", 11 * time.Second, time.Hour, time.Hour},
		{"after that", 12 * time.Second, time.Hour + time.Second, time.Hour + time.Second},
		{"right again", 13 * time.Second, 13 * time.Second, time.Hour + 2*time.Second},
	} {
		if got := e.of(begun.Add(c.passed), wall.Add(c.clock)).Sub(wall); got != c.want {
			t.Errorf("%s: %s after the first, want %s", c.name, got, c.want)
		}
	}
}

func TestTimeOfExtractionIsTheMachines(t *testing.T) {
	var e extraction
	for range 3 {
		if now := time.Now(); e.time(now).Sub(now.Round(0)).Abs() > time.Millisecond {
			t.Errorf("read at %s is told as %s", now, e.time(now))
		}
	}
}
