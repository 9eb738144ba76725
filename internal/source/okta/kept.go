package okta

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"longshore/internal/rawjson"
)

const (
	// keptFor is how long a listing serves other streams of the run that it was read in.
	keptFor = 10 * time.Minute
	// maxKeptBytes bounds the outlines of listings, and likewise the whole pages, that are kept at a time. What does not
	// fit is asked for again.
	maxKeptBytes = 16 << 20
	// maxRuling bounds the groups that are known to hold a role.
	maxRuling = 1 << 16
)

// kept saves calls within one run: several streams need the same listing as their parents, and need little of it. Of
// each object an outline is kept: its id and what decides whether it is visited. Beside them it keeps whole pages that
// came before anybody took them. It begins empty with every run, so what it holds was read in that run.
type kept struct {
	mu     sync.Mutex
	on     bool
	run    int64 // whose listings these are; 0 for those of a run to come
	lists  map[string]*keptList
	pages  map[string]fetched
	ruling map[string]bool          // groups listed that hold a role, whose members several streams need
	asking map[string]chan struct{} // listings that are being asked for; closed when that has ended
	owed   map[int]int              // statuses met for the run before its first read
	bytes  struct{ lists, pages int }
}

type keptList struct {
	answered string // the request answered
	next     string
	records  [][]byte // outlines, or whole
	at       time.Time
	statuses map[int]int // not in any page's account yet
}

// begin forgets what was kept for another run. What was read for a run to come (0) is the next run's.
func (k *kept) begin(run int64) (fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.on && run != 0 && (k.run == run || k.run == 0) {
		fresh = k.run != run
		k.run = run
		return fresh
	}
	k.on, k.run, k.bytes.lists, k.bytes.pages = true, run, 0, 0
	k.lists, k.pages, k.asking = map[string]*keptList{}, map[string]fetched{}, map[string]chan struct{}{}
	k.ruling, k.owed = map[string]bool{}, nil
	return true
}

// list returns a page of a listing, each object an outline (or whole, where listings are kept so), and asks Okta for it
// only when no other stream has.
func (k *kept) list(ctx context.Context, c *client, path, key string) (listPage, string, error) {
	for {
		found, wait, ask := k.find(path)
		switch {
		case found != nil:
			answer := &answer{path: found.answered, status: http.StatusOK, at: found.at, statuses: found.statuses}
			return listPage{answer: answer, records: found.records}, found.next, nil
		case !ask:
			return c.fetch(ctx, path, key)
		case wait == nil:
			page, next, err := c.fetch(ctx, path, key)
			k.asked(path, page, next, err)
			return page, next, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return listPage{}, "", context.Cause(ctx)
		}
	}
}

// find returns the page kept, or what to wait for, or neither when it is the caller's to ask. ask is false when such
// a listing is not kept.
func (k *kept) find(path string) (found *keptList, wait chan struct{}, ask bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.on || k.manner(path) == keptNot {
		return nil, nil, false
	}
	if l := k.fresh(path); l != nil {
		given := *l
		given.records = slices.Clone(l.records)
		l.statuses = nil // they are in the account of whoever asks first
		return &given, nil, true
	}
	if wait := k.asking[path]; wait != nil {
		return nil, wait, true
	}
	k.asking[path] = make(chan struct{})
	return nil, nil, true
}

func (k *kept) fresh(path string) *keptList {
	if l := k.lists[path]; l != nil && time.Since(l.at) < keptFor {
		return l
	}
	return nil
}

// asked keeps what has come and lets others have it.
func (k *kept) asked(path string, page listPage, next string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.add(path, page, next, nil)
		if k.manner(path) == keptOutlined && !strings.Contains(path, "expand=stats") {
			answer := *page.answer
			answer.statuses = nil // they are in the account of the stream that asked
			k.store(path, fetched{page: listPage{answer: &answer, records: slices.Clone(page.records)}, next: next})
		}
	}
	if done := k.asking[path]; done != nil {
		close(done)
		delete(k.asking, path)
	}
}

// keptAs is how a listing is kept.
type keptAs int

const (
	keptNot      keptAs = iota
	keptOutlined        // of each object its outline; and the page whole until a stream takes it that needs it so
	keptWhole           // every object as it came, because it is small and several streams need it
)

// manner tells how the pages of a listing are kept: those that are parents of several streams, and what several streams
// need of each parent. Listings of all users are not: they are long, and hardly any stream needs them.
func (k *kept) manner(path string) keptAs {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimPrefix(path, apiPrefix), "/")
	last := parts[len(parts)-1]
	switch {
	case slices.Contains([]string{"groups", "apps", "iam/roles", "iam/resource-sets", "iam/assignees/users"}, strings.Join(parts, "/")):
		return keptOutlined
	case len(parts) == 3 && parts[0] == "groups" && last == "users" && k.ruling[parts[1]]:
		return keptOutlined
	case len(parts) > 2 && last == "roles" && parts[0] != "iam", len(parts) == 4 && last == "bindings":
		return keptWhole
	}
	return keptNot
}

// add keeps the objects of a page. The caller holds mu.
func (k *kept) add(path string, page listPage, next string, statuses map[int]int) {
	l := &keptList{answered: page.answer.path, next: next, at: page.answer.at, statuses: statuses}
	whole := k.manner(path) == keptWhole
	var text []byte
	ends := make([]int, 0, len(page.records))
	for _, record := range page.records {
		if held, _ := holdsRoles(record); held && len(k.ruling) < maxRuling {
			k.ruling[rawjson.GetString(record, "id")] = true
		}
		if whole {
			text = append(text, record...)
		} else {
			text = appendOutline(text, record)
		}
		ends = append(ends, len(text))
	}
	begin := 0
	for _, end := range ends {
		l.records = append(l.records, text[begin:end:end])
		begin = end
	}
	if old := k.lists[path]; old != nil {
		k.bytes.lists -= old.size()
		delete(k.lists, path)
	}
	if k.bytes.lists+l.size() <= maxKeptBytes {
		k.bytes.lists += l.size()
		k.lists[path] = l
	}
}

func (l *keptList) size() int {
	const header, list = 24, 512 // of a slice, and of all the rest
	n := list
	for _, record := range l.records {
		n += len(record) + header
	}
	return n
}

// note keeps a page that was read whole, for streams that need its outlines.
func (k *kept) note(path string, page listPage, next string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.on && k.manner(path) == keptOutlined && k.fresh(path) == nil {
		k.add(path, page, next, nil)
	}
}

// put keeps a page that came and that nobody has taken, and with it what it owes to the account of whoever does.
func (k *kept) put(path string, f fetched) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.fresh(path); l != nil && k.manner(path) == keptWhole {
		if l.statuses == nil {
			l.statuses = f.page.answer.statuses
		}
		return
	}
	k.store(path, f)
}

func (k *kept) store(path string, f fetched) {
	size := len(f.page.answer.body)
	if _, have := k.pages[path]; !k.on || have || k.bytes.pages+size > maxKeptBytes {
		return
	}
	k.bytes.pages += size
	k.pages[path] = f
}

// take gives a whole page away.
func (k *kept) take(path string) (fetched, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.pages[path]
	if ok {
		delete(k.pages, path)
		k.bytes.pages -= len(f.page.answer.body)
	}
	return f, ok && time.Since(f.page.answer.at) < keptFor
}

// whole reports whether a listing is kept whole.
func (k *kept) whole(path string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.on && k.manner(path) == keptWhole
}

// owe has the statuses met for the run taken into the account of its first read.
func (k *kept) owe(statuses map[int]int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.owed = statuses
}

// settle returns what is owed to the account, once.
func (k *kept) settle() map[int]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	owed := k.owed
	if k.owed = nil; owed == nil {
		owed = map[int]int{}
	}
	return owed
}

func (k *kept) keeps() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.on
}

// outlined are the members that an outline has, as far as the object has them: what streams choose their parents by.
var outlined = []string{"id", "type", "status", "label", "signOnMode"} // read only

// appendOutline appends the outline of an object, which is valid JSON of the same shape.
func appendOutline(dst, object []byte) []byte {
	dst = append(dst, '{')
	member := func(name string, value []byte) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, name), ':')
		dst = append(dst, value...)
	}
	for _, name := range outlined {
		if value, ok := rawjson.Get(object, name); ok && !rawjson.IsObject(value) {
			member(name, value)
		}
	}
	if client, ok := rawjson.Get(object, "settings", "oauthClient"); ok {
		settings := []byte(`{"oauthClient":{`)
		if kind, ok := rawjson.Get(client, "application_type"); ok {
			settings = append(append(settings, `"application_type":`...), kind...)
		}
		member("settings", append(settings, "}}"...))
	}
	inner := func(outer, name string) {
		if value, ok := rawjson.Get(object, outer, name); ok {
			member(outer, append(append(append([]byte(nil), `{"`+name+`":`...), value...), '}'))
		}
	}
	inner("profile", "name")
	inner("_embedded", "stats")
	return append(dst, '}')
}

// BeginRun says that the reads that follow belong to the run of that number, until another one begins. Within a run a
// listing that several streams need is asked for once. Without a run every read asks for all that it needs itself.
func (s *Source) BeginRun(run int64) {
	if s.client.kept.begin(run) && !s.markRun(run) {
		s.client.pace.foresee(nil) // nobody has foreseen this run
	}
}
