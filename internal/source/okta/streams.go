package okta

import (
	"context"
	"strconv"
	"strings"

	"longshore/internal/pipeline"
)

// streamSpec is a stream: what is told of it, and how it is read.
type streamSpec struct {
	pipeline.Stream
	read func(ctx context.Context, r *reading, from state) error
	// changed reads what changed since the state's bound; nil when the stream can only be read in full.
	changed func(ctx context.Context, r *reading, from state) error
	hide    trim // what of its records stays out of the lake

	watch func(record []byte) // sees every record that is yielded; nil for nobody
}

// childSpec is a sub-stream: a listing below each object of another listing.
type childSpec struct {
	parents    string                   // the request for the parents
	parentsKey string                   // the member that holds their list, or ""
	wanted     func(parent []byte) bool // whether a parent is visited; nil for all
	path       func(id string) string   // the request for the children of a parent
	key        string                   // the member that holds their list, or ""
	member     string                   // the member that each child gets, holding the parent's id

	// filled reports whether something must be below a parent; nil when that is never known. An empty answer is then asked
	// for again, and is a gap when it stays empty. sure is the same by a parent's id.
	filled func(parent []byte) bool
	sure   func(id string) bool
	// mayBeEmpty reports whether such an empty answer may be right after all; nil for never. It is asked once the answer
	// stayed empty.
	mayBeEmpty func(ctx context.Context, r *reading, id string) bool

	// next is the phase of the stream that follows when all parents are visited; 0 when the stream ends then.
	next int

	// below, if set, reads what is below one parent in another way than page by page: there is a further level of
	// objects between parent and records. The pages are those of path. It goes on with the request at.Child, "" at the
	// start, which lies below path; before the last record its states are at with the next such request in Child, with
	// it done.
	below func(ctx context.Context, r *reading, id string, pages *pager, at, done state) error
}

// The pages that Okta gives at most, and for group members 1000 where everything else has 200: one call for what
// would be five. A page that takes Okta too long is asked for again in halves.
const (
	listLimit    = 200
	memberLimit  = 1000
	appUserLimit = 500
	iamLimit     = 100
	logLimit     = 1000
)

// specs lists the streams in the order to read them: what others point at comes first. Each is in a file of its own.
func (s *Source) specs() []streamSpec {
	return []streamSpec{
		s.users(),
		s.groups(),
		s.groupMembers(),
		s.userRoles(),
		s.groupRoles(),
		s.clientRoles(),
		s.roleTargets(),
		s.customRoles(),
		s.standardRoles(),
		s.permissions(),
		s.resourceSets(),
		s.resourceSetResources(),
		s.resourceSetBindings(),
		s.apps(),
		s.appUsers(),
		s.appGroups(),
		s.groupRules(),
		s.devices(),
		s.factors(),
		s.userTypes(),
		s.apiTokens(),
		s.systemLog(),
	}
}

func stream(name, doc string, keys ...string) pipeline.Stream {
	s := pipeline.Stream{Name: name, Doc: doc}
	for _, key := range keys {
		s.PrimaryKey = append(s.PrimaryKey, strings.Split(key, "."))
	}
	return s
}

// withCursor makes a stream one that can be read incrementally, by that member: of its records or, where they do not
// hold what changed, of the groups or events that tell it.
func withCursor(cursor string, s pipeline.Stream) pipeline.Stream {
	s.CursorField = cursor
	return s
}

// listRequest makes the request for the first page of a listing, as large as Okta and the settings allow.
func (s *Source) listRequest(limit int, path string, query ...string) string {
	return s.listURL(limit, apiPrefix+path, query...)
}

func (s *Source) listURL(limit int, path string, query ...string) string {
	if s.pageLimit > 0 {
		limit = min(limit, s.pageLimit)
	}
	return path + "?" + strings.Join(append(query, "limit="+strconv.Itoa(limit)), "&")
}
