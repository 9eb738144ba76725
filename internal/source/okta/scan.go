package okta

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// scan is what the lake is asked about memberships: those of these users and groups, and which of them still are.
type scan struct {
	users, groups map[string]map[string]bool
	last          *answer
}

func (s *scan) user(id string, groups []string, a *answer) {
	s.users = addTo(s.users, id, groups)
	s.last = a
}

func (s *scan) group(id string, users []string, a *answer) {
	s.groups = addTo(s.groups, id, users)
	s.last = a
}

func addTo(m map[string]map[string]bool, id string, members []string) map[string]map[string]bool {
	if m == nil {
		m = map[string]map[string]bool{}
	}
	m[id] = map[string]bool{}
	for _, member := range members {
		m[id][member] = true
	}
	return m
}

// runScan looks through the memberships in the lake for those that are over. They are too many to be remembered; a
// deleted user or group is rare.
func (f *following) runScan(ctx context.Context, g *gathered) error {
	if g.scan.last == nil || f.opts.Recall == nil {
		return nil
	}
	began := time.Now()
	type pair struct{ user, group string }
	type seen struct {
		generation, at int64
		gone           bool
	}
	newest := map[pair]seen{}
	for r, err := range f.opts.Recall(ctx, groupMembersStream) {
		if err != nil {
			return fmt.Errorf("recall memberships: %w", err)
		}
		p := pair{rawjson.GetString(r.Record, "id"), rawjson.GetString(r.Record, "groupId")}
		groups, isUser := g.scan.users[p.user]
		users, isGroup := g.scan.groups[p.group]
		if !isUser && !isGroup || groups[p.group] || users[p.user] {
			continue
		}
		if old, ok := newest[p]; ok && (old.generation > r.Generation || old.generation == r.Generation && old.at > r.ExtractedAt) {
			continue
		}
		_, gone := rawjson.Get(r.Record, pipeline.DeletedMember)
		newest[p] = seen{r.Generation, r.ExtractedAt, gone}
	}
	var records [][]byte
	for p, s := range newest {
		if !s.gone {
			records = append(records, noMembership(p.user, p.group, g.scan.last.at))
		}
	}
	slices.SortFunc(records, func(a, b []byte) int { return strings.Compare(string(a), string(b)) })
	g.bring(groupMembersStream, g.scan.last, records...)
	f.nextScan = time.Now().Add(scanRest * time.Since(began))
	return nil
}
