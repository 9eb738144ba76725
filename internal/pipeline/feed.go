package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"longshore/internal/fault"
)

const (
	// CauseFeed is the cause of the runs of a feed.
	CauseFeed = "feed"
	// feedRunTime is how long a feed's run lasts before the next one begins: its receipt and manifests are drawn then.
	feedRunTime = time.Hour
	// logFlushTime is how long records of the log are gathered, at most, before they make an object.
	logFlushTime = 30 * time.Second
	// logBatchRows closes a batch of the log: a full page of the source's makes an object at once.
	logBatchRows = 1000
	// feedLook is the pause between two looks at what runs beside the feed.
	feedLook = time.Second
	// rewindOverlap is how much before the start of a full run the log is read again after it: what the run read of an
	// object may be older than what the feed had brought of it.
	rewindOverlap = 5 * time.Minute
)

// positionMark is the mark of the rewind that belongs to no run: from the feed's own position to where the log is read.
const positionMark = -1

// FeedState is where the feed of a connection stands.
type FeedState struct {
	Connection Connection
	Run        *Run            // the feed's run under way; nil for none
	Log        json.RawMessage // the state of the log's stream: up to there its records are in the lake
	Position   json.RawMessage // up to there what the log touches was read again; nil when nothing ever was
	CaughtUp   int64           // the newest run for which the feed has rewound
	Since      time.Time       // when the feed began; zero for never
	Alive      bool            // a feed is at work
	LastRun    *Run            // the newest finished run that is none of the feed's and read something; nil for none
	Stale      bool            // a stream of Run has begun a new generation
	LogTaken   bool            // a run under way reads the log itself
}

// FeedMark is a sign of life of a feed.
type FeedMark struct {
	Log      string          // the name of the log's stream
	Position json.RawMessage // see FeedState
	CaughtUp int64
	Alive    time.Time // until then runs of the connection leave the log to the feed
}

// FeedStore is what a [Feed] needs kept. Every method is one transaction.
type FeedStore interface {
	Store
	// Feed returns where the feed of a connection stands.
	Feed(ctx context.Context, connectionID int64) (FeedState, error)
	// StartFeed begins a run of the feed over the streams, of the generations that they have.
	StartFeed(ctx context.Context, connection Connection, streams []Stream) (Run, error)
	// SaveFeed keeps how far a feed has come.
	SaveFeed(ctx context.Context, connectionID int64, m FeedMark) error
	// Nudges lists the connection's nudges behind the one given that are not settled, in order.
	Nudges(ctx context.Context, connectionID, after int64, limit int) ([]Nudge, error)
	SettleNudges(ctx context.Context, ids []int64) error
	// DropFeed forgets a run of a feed that has brought nothing.
	DropFeed(ctx context.Context, runID int64) error
}

// Feed brings changes into the lake as they happen. It is an ordinary run of the connection, of cause CauseFeed, whose
// streams have the newest generation of each; it lasts an hour, or until a full run begins a new generation.
//
// The state of the log moves only when all that the log touched is durable, so a feed that is stopped anywhere reads
// the same part of the log again. After each full run the objects touched since it began are read once more: what the
// run brought of them may be older than what the feed had brought.
type Feed struct {
	Source      Follower
	Destination Destination
	Store       FeedStore
	Now         func() time.Time
	Streams     func(Connection) ([]Stream, error) // the connection's streams
	// Recall yields what the lake knows of a stream, at least from its newest complete generation on.
	Recall      func(ctx context.Context, connection Connection, stream string) iter.Seq2[Recalled, error]
	NoDeletions bool // see FollowOptions
	// Wanted is told that the whole should be read anew, and why; may be nil.
	Wanted func(ctx context.Context, connection Connection, why string) error

	mu       sync.Mutex
	sessions map[int64]*feedSession
}

// feedSession is a feed at work. It lives from quantum to quantum; what it remembers can be had from the lake again.
type feedSession struct {
	feed      *Feed
	state     FeedState
	following Following
	logStream string
	run       Run
	writers   map[string]*streamWriter
	parts     int       // all that the run has written: another number in the store means that another worker went on
	flushed   time.Time // when the log was, last
	rewound   int64     // the newest run that a rewind was begun for
	behind    bool      // a rewind to the position is under way
	lastNudge int64
}

// aliveTime is how long after a sign of life a feed counts as alive.
const aliveTime = 3 * time.Minute

// Work follows the source of a connection until the given time. wait is how long there is nothing to do; an error
// leaves everything as it is, to be taken up by the next call. It is called by one worker at a time.
func (f *Feed) Work(ctx context.Context, connectionID int64, until time.Time) (wait time.Duration, err error) {
	st, err := f.Store.Feed(ctx, connectionID)
	if err != nil {
		return 0, err
	}
	if st.LastRun == nil || st.LogTaken {
		return feedLook, nil // there is nothing yet that changes could be changes of
	}
	// From here on runs leave the log to the feed. One that has begun just before has it.
	streams, err := f.Streams(st.Connection)
	if err != nil {
		return 0, err
	}
	log := logOf(streams)
	if log == "" {
		return 0, fault.Errorf(fault.Invalid, "connection %q does not read the log, and changes cannot be followed without it", st.Connection.Name).
			WithHint("add the stream logs to the connection")
	}
	if err := f.Store.SaveFeed(ctx, connectionID, FeedMark{log, st.Position, st.CaughtUp, f.Now().Add(aliveTime)}); err != nil {
		return 0, err
	}
	if st, err = f.Store.Feed(ctx, connectionID); err != nil || st.LogTaken {
		return feedLook, err
	}
	s, err := f.session(ctx, st, log)
	if err != nil {
		return 0, fmt.Errorf("feed of %q: %w", st.Connection.Name, err)
	}
	if err := s.work(ctx, until); err != nil {
		f.forget(connectionID)
		if fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) {
			err = errors.Join(err, s.giveUp(ctx, err))
		}
		s.discard()
		return 0, fmt.Errorf("feed of %q: %w", st.Connection.Name, err)
	}
	return 0, nil
}

// giveUp ends the run of a feed that cannot go on until a person has mended something, and leaves the log to the runs
// again: they tell what is wrong with it.
func (s *feedSession) giveUp(ctx context.Context, cause error) error {
	err := s.end(ctx, cause)
	return errors.Join(err, s.feed.Store.SaveFeed(ctx, s.state.Connection.ID, FeedMark{s.logStream, s.state.Position, s.state.CaughtUp, time.Time{}}))
}

func (f *Feed) forget(connectionID int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sessions, connectionID)
}

// session returns the session of the last quantum, if nobody else went on since, or a new one.
func (f *Feed) session(ctx context.Context, st FeedState, log string) (*feedSession, error) {
	f.mu.Lock()
	s := f.sessions[st.Connection.ID]
	f.mu.Unlock()
	if s != nil && st.Run != nil && s.run.ID == st.Run.ID && s.parts == partsOf(st.Run) && bytes.Equal(s.state.Log, st.Log) {
		return s, nil
	}
	s, err := f.newSession(ctx, st, log)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions == nil {
		f.sessions = map[int64]*feedSession{}
	}
	f.sessions[st.Connection.ID] = s
	return s, nil
}

// logOf names the stream that is read on from run to run: the log.
func logOf(streams []Stream) string {
	for _, st := range streams {
		if st.Incremental {
			return st.Name
		}
	}
	return ""
}

func partsOf(run *Run) (n int) {
	for _, st := range run.Streams {
		n += st.NextPart
	}
	return n
}

func (f *Feed) newSession(ctx context.Context, st FeedState, log string) (*feedSession, error) {
	s := &feedSession{feed: f, state: st, logStream: log, flushed: f.Now()}
	if st.Run != nil {
		s.run = *st.Run
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if err := s.adopt(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, stream := range s.run.Streams {
		if stream.Stream != s.logStream {
			names = append(names, stream.Stream)
		}
	}
	var err error
	s.following, err = f.Source.Follow(FollowOptions{
		Streams: names, State: s.state.Log, Nudges: s.nudges, NoDeletions: f.NoDeletions,
		Recall: func(ctx context.Context, stream string) iter.Seq2[Recalled, error] {
			return f.Recall(ctx, st.Connection, stream)
		},
	})
	if err != nil {
		return nil, err
	}
	// The log's records may have been brought by a run that looked after nothing that they touch.
	if len(st.Position) > 0 && !bytes.Equal(st.Position, s.state.Log) {
		s.following.RewindState(st.Position, positionMark)
		s.behind = true
	}
	s.rewound = st.CaughtUp
	s.rewind(st)
	return s, nil
}

// rewind lets the following rewind when a run has ended since it last did.
func (s *feedSession) rewind(st FeedState) {
	if st.LastRun != nil && st.LastRun.ID > s.rewound {
		s.rewound = st.LastRun.ID
		s.following.Rewind(st.LastRun.StartedAt.Add(-rewindOverlap), s.rewound)
	}
}

// open makes sure that there is a run.
func (s *feedSession) open(ctx context.Context) error {
	if s.run.ID != 0 {
		return nil
	}
	streams, err := s.feed.Streams(s.state.Connection)
	if err != nil {
		return err
	}
	s.run, err = s.feed.Store.StartFeed(ctx, s.state.Connection, streams)
	return err
}

// adopt makes the run's writers and takes in what an interrupted worker made durable but could not record.
func (s *feedSession) adopt(ctx context.Context) error {
	s.writers, s.parts = map[string]*streamWriter{}, 0
	engine := &Sync{Source: s.feed.Source, Destination: s.feed.Destination, Store: s.feed.Store, Now: s.feed.Now}
	for _, st := range s.run.Streams {
		w := &streamWriter{sync: engine, run: s.run, st: st}
		// A run has read the log on from where the feed's run stood, while there was no feed at work.
		ahead := st.Stream == s.logStream && len(s.state.Log) > 0 && !bytes.Equal(st.State, s.state.Log)
		if err := w.begin(ctx); err != nil {
			return err
		}
		if ahead {
			w.forget()
			if err := w.save(ctx, Commit{State: s.state.Log}); err != nil {
				return err
			}
		}
		// Pages of a worker that was killed: what they were of is durable, or they are that themselves.
		if err := w.flush(ctx); err != nil {
			return err
		}
		s.writers[st.Stream] = w
		s.parts += w.st.NextPart
	}
	log := s.writers[s.logStream]
	if log == nil {
		return fault.Errorf(fault.Internal, "the feed's run %d has no stream %s", s.run.ID, s.logStream)
	}
	s.state.Log = log.st.State
	return nil
}

// work follows until the time given, and leaves nothing behind that is not durable, but for what is not read yet.
func (s *feedSession) work(ctx context.Context, until time.Time) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	for {
		if err := s.look(ctx); err != nil {
			return err
		}
		next := s.feed.Now().Add(feedLook)
		if until.Before(next) {
			next = until
		}
		b, err := s.following.Next(ctx, next)
		if err != nil {
			return err
		}
		if err := s.keep(ctx, b); err != nil {
			return err
		}
		if now := s.feed.Now(); !now.Before(until) {
			return s.flushLog(ctx)
		} else if now.Sub(s.flushed) >= logFlushTime {
			if err := s.flushLog(ctx); err != nil {
				return err
			}
		}
	}
}

// look sees to what happened beside: a full run that began lets the feed's run end and another begin, of the new
// generation; one that ended lets it read again what was touched meanwhile.
func (s *feedSession) look(ctx context.Context) error {
	st, err := s.feed.Store.Feed(ctx, s.state.Connection.ID)
	if err != nil {
		return err
	}
	if st.Run == nil || st.Run.ID != s.run.ID {
		return fault.Errorf(fault.Conflict, "run %d of the feed was ended by another worker", s.run.ID)
	}
	if st.LogTaken { // the feed had not been heard of for a while, as when the machine slept
		return fault.Errorf(fault.Conflict, "another run has begun to read the log")
	}
	s.rewind(st)
	if st.Stale || s.feed.Now().Sub(s.run.StartedAt) >= feedRunTime {
		return s.rollOver(ctx)
	}
	return nil
}

// rollOver ends the run and begins the next.
func (s *feedSession) rollOver(ctx context.Context) error {
	if err := s.end(ctx, nil); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.adopt(ctx)
}

// end ends the run. cause is why the log cannot be read on, nil when it can. A run that has brought nothing is forgotten.
func (s *feedSession) end(ctx context.Context, cause error) error {
	if err := s.flushLog(ctx); err != nil {
		return err
	}
	if s.broughtNothing() {
		run := s.run.ID
		s.run = Run{}
		return s.feed.Store.DropFeed(ctx, run)
	}
	var streams []StreamRun
	for _, st := range s.run.Streams {
		w := s.writers[st.Stream]
		if w.st.Pages == 0 && w.st.NextPart == 0 && len(w.st.Gaps) == 0 { // nothing came: no manifest either
			w.st.Status, w.st.FinishedAt = Complete, s.feed.Now()
			if err := s.feed.Store.SaveStream(ctx, s.run.ID, w.st); err != nil {
				return err
			}
		} else if cause != nil && st.Stream == s.logStream {
			if err := w.finish(ctx, Partial, message(cause)); err != nil {
				return err
			}
		} else if err := w.finish(ctx, Complete, ""); err != nil {
			return err
		}
		streams = append(streams, w.st)
	}
	status, message := sumUp(streams)
	if err := s.feed.Store.FinishRun(ctx, s.run.ID, status, message); err != nil {
		return err
	}
	s.run = Run{}
	return nil
}

func (s *feedSession) broughtNothing() bool {
	for _, w := range s.writers {
		if w.st.APIRows > 0 || w.st.NextPart > 0 || len(w.st.Gaps) > 0 {
			return false
		}
	}
	return true
}

// keep makes durable what a step brought: objects at once, records of the log a little later.
func (s *feedSession) keep(ctx context.Context, b Brought) error {
	if b.Empty() {
		return nil
	}
	for _, page := range b.Pages {
		w := s.writers[page.Stream]
		if w == nil {
			return fault.Errorf(fault.Internal, "the source brought stream %q, which the run does not have", page.Stream)
		}
		if err := w.add(page.Page); err != nil {
			return err
		}
		if w.batch.RawBytes() >= maxBatchBytes {
			if err := s.flush(ctx, w); err != nil {
				return err
			}
		}
	}
	for _, st := range s.run.Streams {
		if w := s.writers[st.Stream]; st.Stream != s.logStream {
			if err := s.flush(ctx, w); err != nil {
				return err
			}
		}
	}
	log := s.writers[s.logStream]
	for _, page := range b.Log {
		if err := log.add(page); err != nil {
			return err
		}
		if log.batch.Rows() >= logBatchRows || log.batch.RawBytes() >= maxBatchBytes {
			if err := s.flushLog(ctx); err != nil {
				return err
			}
		}
	}
	return s.settle(ctx, b)
}

// settle records what needs nothing more.
func (s *feedSession) settle(ctx context.Context, b Brought) error {
	if len(b.Settled) > 0 {
		if err := s.feed.Store.SettleNudges(ctx, b.Settled); err != nil {
			return err
		}
	}
	for _, mark := range b.Rewound {
		if mark == positionMark {
			s.behind = false
		} else {
			s.state.CaughtUp = max(s.state.CaughtUp, mark)
		}
	}
	if len(b.Rewound) > 0 {
		if err := s.flushLog(ctx); err != nil {
			return err
		}
		if err := s.alive(ctx); err != nil {
			return err
		}
	}
	if b.Wanted != "" && s.feed.Wanted != nil {
		return s.feed.Wanted(ctx, s.state.Connection, b.Wanted)
	}
	return nil
}

// flush makes a stream's batch durable and counts the part.
func (s *feedSession) flush(ctx context.Context, w *streamWriter) error {
	before := w.st.NextPart
	if err := w.flush(ctx); err != nil {
		return err
	}
	s.parts += w.st.NextPart - before
	return nil
}

// flushLog makes the log's batch durable, and with it how far the log is read.
func (s *feedSession) flushLog(ctx context.Context) error {
	s.flushed = s.feed.Now()
	log := s.writers[s.logStream]
	if log.batch == nil {
		return nil
	}
	if err := s.flush(ctx, log); err != nil {
		return err
	}
	s.state.Log = log.st.State
	return s.alive(ctx)
}

// alive tells that the feed works, and how far it has come. While a rewind is open the position stays: what lies between
// it and the log's state is not all read again.
func (s *feedSession) alive(ctx context.Context) error {
	if s.state.CaughtUp >= s.rewound && !s.behind {
		s.state.Position = s.state.Log
	}
	return s.feed.Store.SaveFeed(ctx, s.state.Connection.ID, FeedMark{s.logStream, s.state.Position, s.state.CaughtUp, s.feed.Now().Add(aliveTime)})
}

// nudges takes the nudges that have come since the last time.
func (s *feedSession) nudges(ctx context.Context) ([]Nudge, error) {
	const atOnce = 500
	list, err := s.feed.Store.Nudges(ctx, s.state.Connection.ID, s.lastNudge, atOnce)
	if len(list) > 0 {
		s.lastNudge = list[len(list)-1].ID
	}
	return list, err
}

func (s *feedSession) discard() {
	for _, w := range s.writers {
		w.discard()
	}
}
