package s3

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// A journal is a file beside a batch that is still growing: its records as they came, and a mark after each page. What
// a killed process had read is taken up from it instead of asking the source again. It is text, one line each:
//
//	{"before":12}               the part's place; a journal of another place is not ours to take up
//	1741338302034 {"id":…}      a record, and when it was extracted (Unix milliseconds)
//	# {"pages":1,"state":…}     a checkpoint: what all above stands for
//
// It need not survive a loss of power, so nothing is synced: a journal that is torn is taken up to its last whole mark.
type journal struct {
	file *os.File
	out  *bufio.Writer
	path string
}

const journalSuffix = ".journal"

type journalHead struct {
	Before int64 `json:"before"`
}

// journalPath is where the journal of a part lies: the run, the stream and the part's number.
func journalPath(dir string, p pipeline.Part) string {
	stream := strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, p.Stream)
	return filepath.Join(dir, fmt.Sprintf("%d.%s.%d%s", p.SyncID, stream, p.Number, journalSuffix))
}

// PruneJournals removes the journals of runs that keep does not want.
func PruneJournals(dir string, keep func(syncID int64) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list journals: %w", err)
	}
	for _, e := range entries {
		run, _, _ := strings.Cut(e.Name(), ".")
		id, err := strconv.ParseInt(run, 10, 64)
		if !strings.HasSuffix(e.Name(), journalSuffix) || err == nil && keep(id) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove a journal: %w", err)
		}
	}
	return nil
}

// newJournal begins the journal of a part; one that lies there is overwritten.
func newJournal(dir string, p pipeline.Part) (*journal, error) {
	path := journalPath(dir, p)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin a batch's journal: %w", err)
	}
	j := &journal{file: file, out: bufio.NewWriterSize(file, 64<<10), path: path}
	return j, j.line("", journalHead{Before: p.Before})
}

func (j *journal) line(mark string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.out, "%s%s\n", mark, text)
	return err
}

func (j *journal) record(record []byte, at time.Time) error {
	var space [24]byte
	line := append(strconv.AppendInt(space[:0], at.UnixMilli(), 10), ' ')
	_, _ = j.out.Write(line) // an error stays with the writer
	_, _ = j.out.Write(rawjson.OneLine(record))
	return j.out.WriteByte('\n')
}

func (j *journal) checkpoint(c pipeline.Commit) error {
	if err := j.line("# ", c); err != nil {
		return err
	}
	return j.out.Flush()
}

func (j *journal) close() { j.file.Close() }

func (j *journal) forget() {
	j.file.Close()
	os.Remove(j.path)
}

// openJournal finds the last checkpoint of a part's journal, or fault.NotFound. length is where it ends in the file.
func openJournal(dir string, p pipeline.Part) (file *os.File, c pipeline.Commit, length int64, err error) {
	none := fault.Errorf(fault.NotFound, "no batch was left of part %d of %s", p.Number, p.Stream)
	file, err = os.OpenFile(journalPath(dir, p), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c, 0, none
	}
	if err != nil {
		return nil, c, 0, fmt.Errorf("open a batch's journal: %w", err)
	}
	in := bufio.NewReaderSize(file, 64<<10)
	head := journalHead{Before: -1}
	for at, n := int64(0), 0; ; n++ {
		line, err := in.ReadBytes('\n')
		at += int64(len(line))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			file.Close()
			return nil, c, 0, fmt.Errorf("read a batch's journal: %w", err)
		}
		if n == 0 && (json.Unmarshal(line, &head) != nil || head.Before != p.Before) {
			break
		}
		if mark, ok := bytes.CutPrefix(line, []byte("# ")); ok {
			var at1 pipeline.Commit
			if json.Unmarshal(mark, &at1) != nil {
				break
			}
			c, length = at1, at
		}
	}
	if length == 0 {
		file.Close()
		return nil, c, 0, none
	}
	return file, c, length, nil
}

// replay gives the records of the first length bytes of a journal again.
func replay(file io.ReadSeeker, length int64, record func(record []byte, at time.Time) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind a batch's journal: %w", err)
	}
	in := bufio.NewReaderSize(io.LimitReader(file, length), 64<<10)
	for n := 0; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a batch's journal: %w", err)
		}
		if n == 0 || line[0] == '#' {
			continue
		}
		millis, text, ok := bytes.Cut(line[:len(line)-1], []byte(" "))
		at, err := strconv.ParseInt(string(millis), 10, 64)
		if !ok || err != nil {
			return fault.Errorf(fault.Internal, "line %d of a batch's journal is no record", n+1)
		}
		if err := record(text, time.UnixMilli(at)); err != nil {
			return err
		}
	}
}
