package okta

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pass sends one request through the flow that takes d and is answered with a status.
func pass(t *testing.T, f *flow, d time.Duration, status int, limit string) {
	t.Helper()
	if err := f.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	time.Sleep(d)
	header := http.Header{}
	header.Set("X-Rate-Limit-Limit", limit)
	f.release("/api/v1/users/00u1/roles", began, &answer{status: status, header: header}, false)
}

func TestMoreAreUnderWayWhileAnswersAreCleanAndQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow()
		for i := range 400 {
			if want := min(firstInFlight+i/cleanAnswers, maxInFlight); f.width() != want {
				t.Fatalf("after %d answers %d may be under way, want %d", i, f.width(), want)
			}
			pass(t, f, 200*time.Millisecond, 200, "600")
		}
		for name, trouble := range map[string]struct {
			status int
			limit  string
			want   int
		}{
			"too many at once": {429, "0", 5}, "server error": {503, "600", 5}, "window used up": {429, "600", 10}, "not found": {404, "600", 10},
		} {
			g := newFlow()
			g.allowed = maxInFlight
			pass(t, g, 200*time.Millisecond, trouble.status, trouble.limit)
			if g.width() != trouble.want {
				t.Errorf("%s: %d may be under way, want %d", name, g.width(), trouble.want)
			}
		}
	})
}

func TestSlowAnswersHalveWhatIsUnderWayOnceAndStayingSlowIsUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow()
		f.allowed = 8
		for range 10 {
			pass(t, f, 200*time.Millisecond, 200, "600")
		}
		for range 12 {
			pass(t, f, 700*time.Millisecond, 200, "600")
		}
		if f.width() > 4 {
			t.Errorf("%d may be under way although answers take three times as long, want 4 or fewer", f.width())
		}
		for range 600 {
			pass(t, f, 700*time.Millisecond, 200, "600")
		}
		if f.width() != maxInFlight {
			t.Errorf("%d may be under way after answers have taken 0.7 s for long, want %d", f.width(), maxInFlight)
		}
	})
}

func TestAFailureOfManyUnderWayTogetherCutsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow()
		f.allowed = maxInFlight
		for range maxInFlight {
			if err := f.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		time.Sleep(time.Second)
		for range maxInFlight {
			f.release("/api/v1/users", began, &answer{status: 503}, false)
		}
		if f.width() != maxInFlight/2 || f.inFlight != 0 {
			t.Errorf("%d may be under way, %d are, want %d and none", f.width(), f.inFlight, maxInFlight/2)
		}
	})
}

func TestWhoGivesUpWaitingTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow()
		f.allowed = 1
		if err := f.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- f.acquire(ctx) }()
		synctest.Wait()
		second := make(chan error, 1)
		go func() { second <- f.acquire(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; err == nil {
			t.Error("a wait that was given up has its turn")
		}
		f.release("/api/v1/users", time.Now(), &answer{status: 200}, false)
		if err := <-second; err != nil || f.inFlight != 1 {
			t.Errorf("the next has %v, %d are under way, want its turn and 1", err, f.inFlight)
		}
	})
}
