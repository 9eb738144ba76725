//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// killMoments is how many seeded moments the process is killed at.
const killMoments = 20

// A process killed at any moment, and started again, makes the catalog and the receipt of an undisturbed run.
func TestKilledRunEndsLikeAnUndisturbedOne(t *testing.T) {
	whole := newFolder(t)
	begin := time.Now()
	wantReceipt := comparable(whole.receipts()[0])
	length := time.Since(begin)
	want := whole.export()
	if len(want) == 0 {
		t.Fatal("the undisturbed run exported nothing")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range killMoments {
		moment := time.Duration(random.Int64N(int64(length)))
		t.Run(fmt.Sprintf("%02d after %d ms", i, moment.Milliseconds()), func(t *testing.T) {
			f := newFolder(t)
			cmd, _, _ := f.command(context.Background(), "up", "--once")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The moment itself is what is tested: nothing is waited for.
			kill := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait()
			kill.Stop()
			// A run killed after its receipt was kept is over: the next one is another run.
			got := f.receipts()
			if text := comparable(got[0]); got[0].SyncID == 1 && text != wantReceipt {
				t.Errorf("receipt after the kill:\n%s\nwant that of the undisturbed run:\n%s", text, wantReceipt)
			}
			if export := f.export(); export != want {
				t.Errorf("catalog after the kill has digest %s (%d bytes), the undisturbed one %s (%d bytes)", digest(export), len(export), digest(want), len(want))
			}
		})
	}
}
