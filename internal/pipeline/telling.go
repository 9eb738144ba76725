package pipeline

import (
	"context"
	"fmt"
)

// A stream that was read whole and has nothing in it may be empty, or cut off from what it held by a right that was taken
// away: the source's answer is the same. So where the full read before brought more than a few records, the first reads
// without any are taken for partial ones, which prove no absence. That it stays so is taken for the truth.
const (
	emptySuspicious = 10 // records of the read before
	emptyBelieved   = 3  // reads in a row without any
)

// suspicious says why a complete stream is not believed; "" when it is.
func (w *streamWriter) suspicious(ctx context.Context) (string, error) {
	if w.sync.Baseline == nil || w.st.Mode != FullRefresh || w.st.LakeRows > 0 {
		return "", nil
	}
	before, err := w.sync.Baseline(ctx, w.run, w.st.Stream)
	if err != nil {
		return "", err
	}
	empty := 1
	for _, rows := range before {
		if rows > 0 {
			if rows < emptySuspicious || empty >= emptyBelieved {
				return "", nil
			}
			return fmt.Sprintf("no records, where the last full read had %d: nothing is taken for gone until %d reads in a row bring none", rows, emptyBelieved), nil
		}
		empty++
	}
	return "", nil
}

// log adds a line about the stream to the run's log.
func (w *streamWriter) log(ctx context.Context, level, text string) error {
	if w.sync.Log == nil {
		return nil
	}
	return w.sync.Log(ctx, w.run.ID, LogLine{At: w.sync.Now(), Level: level, Stream: w.st.Stream, Text: text})
}

// told says in the run's log how a stream ended.
func (w *streamWriter) told(ctx context.Context) error {
	level, text := LevelInfo, fmt.Sprintf("%s: %d records in %d pages", w.st.Status, w.st.LakeRows, w.st.Pages)
	if w.st.Status != Complete {
		level, text = LevelWarn, text+": "+w.st.Error
	}
	return w.log(ctx, level, text)
}
