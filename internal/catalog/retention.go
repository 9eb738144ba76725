package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"longshore/internal/fault"
)

// Retention is how long a blueprint keeps its entities: the member "retention" of its document. Only a blueprint without
// history may have one.
type Retention struct {
	Days int    `json:"days"`
	By   string `json:"by"` // date-time property that tells an entity's age; "" for when it was last read from its source
}

const (
	maxRetentionDays = 36_500
	retentionEvery   = 24 * time.Hour // between the beginnings of two walks
	walkEntities     = 500            // of one look
	walkLooks        = 20             // before the walk's place is kept
)

// RetentionOf reads the retention of a blueprint's document; nil for none.
func RetentionOf(doc json.RawMessage) *Retention {
	var d struct {
		Retention *Retention `json:"retention"`
	}
	if json.Unmarshal(doc, &d) != nil || !LivesApart(doc) {
		return nil
	}
	return d.Retention
}

// checkRetention refuses a retention that cannot be kept.
func (b *Blueprint) checkRetention(members []orderedMember) error {
	raw, _ := lookup(members, "retention")
	if isNull(raw) {
		return nil
	}
	list, err := ordered(raw)
	if err != nil {
		return invalidRequest("blueprint %q: retention: want an object such as {\"days\":90,\"by\":\"published\"}, got %s", b.Identifier, excerpt(raw))
	}
	for _, m := range list {
		if m.Name != "days" && m.Name != "by" {
			return invalidRequest("blueprint %q: retention has a member %q, want only days and by", b.Identifier, m.Name)
		}
	}
	var r Retention
	if err := json.Unmarshal(raw, &r); err != nil || r.Days < 1 || r.Days > maxRetentionDays {
		return invalidRequest("blueprint %q: retention: want days from 1 to %d, and by the name of a property, got %s", b.Identifier, maxRetentionDays, excerpt(raw))
	}
	if !LivesApart(b.Doc) {
		return invalidRequest("blueprint %q: retention: entities whose history is kept are not let go by age", b.Identifier).
			WithHint(`add "history": false to the blueprint, or leave retention out`)
	}
	if r.By == "" {
		return nil
	}
	for _, p := range b.Properties {
		if p.Name == r.By && p.Type == "string" {
			return nil
		}
	}
	return invalidRequest("blueprint %q: retention: by names %q, which is no string property of the blueprint", b.Identifier, r.By)
}

// time is the age's beginning of an entity in Unix milliseconds, given the value of its property and when it was read.
func (r *Retention) time(value []byte, read int64) int64 {
	if r.By != "" && len(value) > 0 && value[0] == '"' {
		if ms, ok := Instant(unquote(value)); ok {
			return ms
		}
	}
	return read
}

func (r *Retention) cutoff(now time.Time) int64 { return now.AddDate(0, 0, -r.Days).UnixMilli() }

// past reports whether a draft of a new entity is older than the blueprint keeps them, and says so in a flag. What retention
// let go does not come back by a replay.
func (b *batch) past(r *rules, d *draft, s *Stamp) (Flag, bool) {
	if r.retention == nil {
		return Flag{}, false
	}
	var value []byte
	for _, f := range d.fields {
		if f.name == "."+r.retention.By {
			value = f.value
		}
	}
	at := r.retention.time(value, s.Version.ExtractedAt)
	if at >= r.retention.cutoff(b.now) {
		return Flag{}, false
	}
	name := r.retention.By
	if name == "" {
		name = "$updatedAt"
	}
	return Flag{
		Property: name, Rule: "retention", Want: fmt.Sprintf("not older than %d days", r.retention.Days),
		Value: time.UnixMilli(at).UTC().Format(time.RFC3339),
	}, true
}

// RetentionRun is one walk through a blueprint's entities that lets the old ones go.
type RetentionRun struct {
	ID int64
	Retention
	Cutoff          time.Time // older ones go
	Begun, Finished time.Time // Finished is zero while it is under way
	Walked          int64     // the last id looked at
	Pruned          int64
}

// Retain lets go of what blueprints keep no longer, until until. It returns how long there is nothing to do then; 0 means
// that there is more.
func (c *Catalog) Retain(ctx context.Context, until time.Time) (time.Duration, error) {
	const look = 10 * time.Minute // for blueprints that have a retention since
	blueprints, err := c.Blueprints(ctx)
	if err != nil {
		return 0, err
	}
	for _, b := range blueprints {
		if RetentionOf(b.Doc) == nil {
			continue
		}
		for {
			done, err := c.prune(ctx, b.Identifier)
			if err != nil {
				return 0, fmt.Errorf("let go of old entities of %q: %w", b.Identifier, err)
			}
			if done {
				break
			}
			if !c.now().Before(until) {
				return 0, nil
			}
		}
	}
	return look, nil
}

// RetentionRuns returns the newest walks through a blueprint's entities, the newest first.
func (c *Catalog) RetentionRuns(ctx context.Context, blueprint string, limit int) (runs []RetentionRun, err error) {
	err = c.store.InView(ctx, func(v View) error {
		runs, err = v.RetentionRuns(ctx, blueprint, limit)
		return err
	})
	return runs, err
}

// prune goes on with a blueprint's walk, or begins one that is due. done says that none is.
func (c *Catalog) prune(ctx context.Context, blueprint string) (done bool, err error) {
	run, policy, err := c.retentionRun(ctx, blueprint)
	if err != nil || run == nil {
		return true, err
	}
	// Looking is for readers: the writers' turn is taken for what goes, and now and then to keep the place.
	var old []int64
	for range walkLooks {
		n := 0
		err := c.store.InView(ctx, func(v View) error {
			list, err := v.Walk(ctx, blueprint, run.Walked, walkEntities)
			for i := range list {
				run.Walked = list[i].ID
				if run.old(policy, &list[i]) {
					old = append(old, list[i].ID)
				}
			}
			n = len(list)
			return err
		})
		if err != nil {
			return false, err
		}
		if n < walkEntities {
			run.Finished = c.now()
		}
		if len(old) > 0 || !run.Finished.IsZero() {
			break
		}
	}
	return false, c.store.InTx(ctx, func(tx Tx) error { return c.letGo(ctx, tx, blueprint, run, policy, old) })
}

func (r *RetentionRun) old(policy *Retention, e *Entity) bool {
	read := e.Version.ExtractedAt
	if read == 0 {
		read = e.UpdatedAt.UnixMilli()
	}
	var value []byte
	if policy.By != "" {
		members(e.Properties, func(name string, v []byte) {
			if name == policy.By {
				value = v
			}
		})
	}
	return policy.time(value, read) < r.Cutoff.UnixMilli()
}

// retentionRun returns the walk that is under way or due, nil for none. One of another policy is ended first.
func (c *Catalog) retentionRun(ctx context.Context, blueprint string) (*RetentionRun, *Retention, error) {
	var run *RetentionRun
	var policy *Retention
	err := c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		r := m.rules[blueprint]
		if r == nil || r.retention == nil {
			return nil
		}
		policy = r.retention
		runs, err := tx.RetentionRuns(ctx, blueprint, 1)
		if err != nil {
			return err
		}
		now := c.now().UTC().Truncate(time.Millisecond)
		if len(runs) > 0 && runs[0].Finished.IsZero() {
			if runs[0].Retention == *policy {
				run = &runs[0]
				return nil
			}
			runs[0].Finished = now
			if err := c.endRun(ctx, tx, blueprint, &runs[0]); err != nil {
				return err
			}
		}
		if len(runs) > 0 && runs[0].Retention == *policy && now.Sub(runs[0].Begun) < retentionEvery && !now.Before(runs[0].Begun) {
			return nil
		}
		run = &RetentionRun{Retention: *policy, Begun: now, Cutoff: time.UnixMilli(policy.cutoff(now)).UTC()}
		return tx.PutRetentionRun(ctx, blueprint, run)
	})
	if fault.Is(err, fault.NotFound) {
		return nil, nil, nil
	}
	return run, policy, err
}

// letGo removes those of the entities that are still old, and keeps the walk's place. Another process may have gone on
// with the same walk meanwhile: then nothing of this step counts.
func (c *Catalog) letGo(ctx context.Context, tx Tx, blueprint string, run *RetentionRun, policy *Retention, ids []int64) error {
	runs, err := tx.RetentionRuns(ctx, blueprint, 1)
	if err != nil {
		return err
	}
	if len(runs) == 0 || runs[0].ID != run.ID || !runs[0].Finished.IsZero() || runs[0].Pruned != run.Pruned || runs[0].Walked > run.Walked {
		return nil
	}
	there, err := tx.Load(ctx, ids)
	if err != nil {
		return err
	}
	var old []int64
	for _, id := range ids {
		if e, ok := there[id]; ok && run.old(policy, &e) {
			old = append(old, id)
		}
	}
	if len(old) > 0 {
		if err := tx.Prune(ctx, blueprint, old); err != nil {
			return err
		}
		run.Pruned += int64(len(old))
	}
	if !run.Finished.IsZero() {
		return c.endRun(ctx, tx, blueprint, run)
	}
	return tx.PutRetentionRun(ctx, blueprint, run)
}

// endRun notes the walk's end, and in one audit entry what it let go.
func (c *Catalog) endRun(ctx context.Context, tx Tx, blueprint string, run *RetentionRun) error {
	if err := tx.PutRetentionRun(ctx, blueprint, run); err != nil || run.Pruned == 0 {
		return err
	}
	data, err := json.Marshal(map[string]any{"days": run.Days, "by": run.By, "cutoff": run.Cutoff, "entities": run.Pruned})
	if err != nil {
		return err
	}
	return tx.AddHistory(ctx, []AuditEntry{{
		At: run.Finished, Kind: "retention", Action: "DELETE", Blueprint: blueprint, Actor: "retention", Data: data,
		Message: fmt.Sprintf("%d entities older than %d days were let go", run.Pruned, run.Days),
	}})
}
