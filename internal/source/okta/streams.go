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
}

// childSpec is a sub-stream: a listing below each object of another listing.
type childSpec struct {
	parents    string                   // the request for the parents
	parentsKey string                   // the member that holds their list, or ""
	wanted     func(parent []byte) bool // whether a parent is visited; nil for all
	path       func(id string) string   // the request for the children of a parent
	key        string                   // the member that holds their list, or ""
	member     string                   // the member that each child gets, holding the parent's id
	mayBeGone  bool                     // a parent that has gone has no children, which is no gap
}

// The pages that Okta gives at most, and for group members 1000 where everything else has 200: one call for what
// would be five. A page that takes Okta too long is asked for again in halves.
const (
	listLimit   = 200
	memberLimit = 1000
	iamLimit    = 100
	logLimit    = 1000
)

// specs lists the streams in the order to read them: what others point at comes first. Each is in a file of its own.
func (s *Source) specs() []streamSpec {
	return []streamSpec{
		s.users(),
		s.groups(),
		s.groupMembers(),
		s.userRoles(),
		s.groupRoles(),
		s.customRoles(),
		s.permissions(),
		s.resourceSets(),
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
	if s.pageLimit > 0 {
		limit = min(limit, s.pageLimit)
	}
	return apiPrefix + path + "?" + strings.Join(append(query, "limit="+strconv.Itoa(limit)), "&")
}
