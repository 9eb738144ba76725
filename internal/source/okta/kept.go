package okta

import (
	"context"
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
	bytes  struct{ lists, pages int }
}

type keptList struct {
	answered string // the request answered
	next     string
	outlines [][]byte
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
	k.ruling = map[string]bool{}
	return true
}

// list returns a page of a listing, each object an outline, and asks Okta for it only when no other stream has.
func (k *kept) list(ctx context.Context, c *client, path, key string) (listPage, string, error) {
	for {
		found, wait, ask := k.find(path)
		switch {
		case found != nil:
			answer := &answer{path: found.answered, status: 200, at: found.at, statuses: found.statuses}
			return listPage{answer: answer, records: found.outlines}, found.next, nil
		case !ask:
			return c.page(ctx, path, key)
		case wait == nil:
			page, next, err := c.page(ctx, path, key)
			k.mu.Lock()
			if err == nil {
				k.add(path, page, next, nil)
				k.hold(path, page, next)
			}
			if done := k.asking[path]; done != nil {
				close(done)
				delete(k.asking, path)
			}
			k.mu.Unlock()
			return page, next, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return listPage{}, "", context.Cause(ctx)
		}
	}
}

// find returns the page kept, or what to wait for, or neither when it is the caller's to ask. ask is false when
// nothing is kept at all.
func (k *kept) find(path string) (found *keptList, wait chan struct{}, ask bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.on {
		return nil, nil, false
	}
	if l := k.lists[path]; l != nil && time.Since(l.at) < keptFor {
		given := *l
		l.statuses = nil // they are in the account of whoever asks first
		return &given, nil, true
	}
	if wait := k.asking[path]; wait != nil {
		return nil, wait, true
	}
	k.asking[path] = make(chan struct{})
	return nil, nil, true
}

// add keeps the outlines of a page. The caller holds mu.
func (k *kept) add(path string, page listPage, next string, statuses map[int]int) {
	if base, _, _ := strings.Cut(path, "?"); base == apiPrefix+"groups" {
		for _, group := range page.records {
			if held, _ := holdsRoles(group); held && len(k.ruling) < maxKeptBytes>>10 {
				k.ruling[rawjson.GetString(group, "id")] = true
			}
		}
	}
	var text []byte
	ends := make([]int, 0, len(page.records))
	for _, record := range page.records {
		text = appendOutline(text, record)
		ends = append(ends, len(text))
	}
	if old := k.lists[path]; old != nil {
		k.bytes.lists -= old.size()
	}
	l := &keptList{answered: page.answer.path, next: next, at: page.answer.at, statuses: statuses}
	begin := 0
	for _, end := range ends {
		l.outlines = append(l.outlines, slices.Clip(text[begin:end]))
		begin = end
	}
	if k.bytes.lists+l.size() > maxKeptBytes {
		delete(k.lists, path)
		return
	}
	k.bytes.lists += l.size()
	k.lists[path] = l
}

func (l *keptList) size() (n int) {
	const header = 24 // of a slice
	for _, outline := range l.outlines {
		n += len(outline) + header
	}
	return n
}

// note keeps the outlines of a page that was read whole, if it is one that other streams need as parents.
func (k *kept) note(path string, page listPage, next string) {
	base, _, _ := strings.Cut(path, "?")
	group, ofMembers := groupOfMembers(base)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.on && (slices.Contains(parentListings, base) || ofMembers && k.ruling[group]) && (k.lists[path] == nil || time.Since(k.lists[path].at) >= keptFor) {
		k.add(path, page, next, nil)
	}
}

// parentListings are the listings that are streams themselves and the parents of others.
var parentListings = []string{apiPrefix + "iam/roles", apiPrefix + "iam/resource-sets", apiPrefix + "apps"} // read only

// hold keeps a page whole that was read as a listing and that another stream needs whole: the members of a group. The
// caller holds mu.
func (k *kept) hold(path string, page listPage, next string) {
	base, _, _ := strings.Cut(path, "?")
	if _, ofMembers := groupOfMembers(base); !ofMembers {
		return
	}
	answer := *page.answer
	answer.statuses = nil // they are in the account of the stream that asked
	k.store(path, fetched{page: listPage{answer: &answer, records: slices.Clone(page.records)}, next: next})
}

// groupOfMembers returns the group whose members a path lists.
func groupOfMembers(path string) (id string, ok bool) {
	id, ok = strings.CutPrefix(path, apiPrefix+"groups/")
	if ok {
		id, ok = strings.CutSuffix(id, "/users")
	}
	return id, ok && !strings.Contains(id, "/")
}

// put keeps a whole page that nobody has asked for yet.
func (k *kept) put(path string, f fetched) {
	k.mu.Lock()
	defer k.mu.Unlock()
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

func (k *kept) keeps() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.on
}

// outlined are the members that an outline has, as far as the object has them: what streams choose their parents by.
var outlined = []string{"id", "type", "status", "label", "name", "signOnMode", "assignmentType", "role", "resource-set"} // read only

// appendOutline appends the outline of an object, which is valid JSON of the same shape.
func appendOutline(dst, object []byte) []byte {
	begin := len(dst)
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
	inner := func(outer, name string) {
		if value, ok := rawjson.Get(object, outer, name); ok {
			member(outer, append(append(append([]byte(nil), `{"`+name+`":`...), value...), '}'))
		}
	}
	inner("profile", "name")
	inner("_embedded", "stats")
	inner("_links", "assignee")
	dst = append(dst, '}')
	return dst[:len(dst):max(len(dst), begin)]
}

// BeginRun says that the reads that follow belong to the run of that number, until another one begins. Within a run a
// listing that several streams need is asked for once. Without a run every read asks for all that it needs itself.
func (s *Source) BeginRun(run int64) {
	if s.client.kept.begin(run) {
		s.markRun(run)
	}
}
