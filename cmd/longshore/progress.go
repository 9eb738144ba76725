package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/ingest"
	"longshore/internal/pipeline"
)

// sayer tells a person how things go: one line redrawn on a terminal, plain lines otherwise. It writes to standard
// output, or to standard error when standard output carries data.
type sayer struct {
	mu    sync.Mutex
	w     io.Writer
	live  bool // w is a terminal
	drawn bool // a live line stands there
	last  time.Time

	pages map[string][2]int64 // stream → pages, rows read in this process
	ended map[string]bool     // streams whose end was told
	wait  ingest.Waiting
}

func newSayer(cmd *cobra.Command, dataOnStdout bool) *sayer {
	w := cmd.OutOrStdout()
	if dataOnStdout {
		w = cmd.ErrOrStderr()
	}
	return &sayer{w: w, live: isTerminal(w), pages: map[string][2]int64{}, ended: map[string]bool{}}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// f prints a lasting line.
func (s *sayer) f(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.w, format, args...)
}

func (s *sayer) clear() {
	if s.drawn {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.drawn = false
	}
}

// page notes that a page was read; it is called from the sync.
func (s *sayer) page(stream string, pages, rows int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[stream] = [2]int64{pages, rows}
	s.draw(stream)
}

// run tells the streams of a run that have ended since the last call.
func (s *sayer) run(run pipeline.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range run.Streams {
		if st.FinishedAt.IsZero() || s.ended[fmt.Sprint(run.ID, st.Stream)] {
			continue
		}
		s.ended[fmt.Sprint(run.ID, st.Stream)] = true
		s.clear()
		fmt.Fprintf(s.w, "  read %-24s %7d rows in %3d pages, %s\n", st.Stream, st.APIRows, st.Pages, st.Status)
	}
}

// waiting notes what is still to be taken into the catalog.
func (s *sayer) waiting(w ingest.Waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = w
	s.draw("")
}

// draw redraws the live line, at most ten times a second.
func (s *sayer) draw(stream string) {
	if !s.live || time.Since(s.last) < 100*time.Millisecond {
		return
	}
	s.last = time.Now()
	s.clear()
	line := ""
	if stream != "" {
		line = fmt.Sprintf("reading %s: %d rows   ", stream, s.pages[stream][1])
	}
	fmt.Fprintf(s.w, "%s%s %d of %d lines in the catalog, %d objects waiting", line, bar(s.wait.Lines, s.wait.Written), s.wait.Lines, s.wait.Written, s.wait.Objects)
	s.drawn = true
}

// done removes the live line.
func (s *sayer) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// barWidth is how many characters a progress bar has.
const barWidth = 24

// bar draws how much of total is done. The total may grow while it is drawn.
func bar(done, total int64) string {
	full := 0
	if total > 0 {
		full = int(min(done, total) * barWidth / total)
	}
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "]"
}
