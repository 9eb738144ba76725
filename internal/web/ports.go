package web

import (
	"context"
	"io"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// Catalog is what the screens read of the catalog. Errors are faults: NotFound for what is not there, Invalid for a
// query, sort or cursor that cannot be read.
type Catalog interface {
	Blueprints(ctx context.Context) ([]catalog.Blueprint, error)
	Blueprint(ctx context.Context, id string) (catalog.Blueprint, error)
	Counts(ctx context.Context) (map[string]int64, error)
	Search(ctx context.Context, req catalog.SearchRequest) (catalog.SearchPage, error)
	CountMatches(ctx context.Context, req catalog.SearchRequest) (int64, error)
	FindWords(ctx context.Context, text string, limit int) ([]catalog.Entity, error)
	Entity(ctx context.Context, blueprint, identifier string) (catalog.Entity, error)
	Referrers(ctx context.Context, target catalog.Key) ([]catalog.ReferrerCount, error)
	ReferrersBy(ctx context.Context, target catalog.Key, blueprint, relation string, after int64, limit int) ([]catalog.Entity, error)
	History(ctx context.Context, filter catalog.HistoryFilter) ([]catalog.AuditEntry, error)
	Pending(ctx context.Context, samples int) (catalog.PendingReport, error)
}

// Ledger is what the screens read of the lake objects seen and of the verdicts on their lines.
type Ledger interface {
	List(ctx context.Context, f ingest.ObjectFilter, limit int) ([]ingest.Object, error)
	Object(ctx context.Context, id int64) (ingest.Object, error)
	Waiting(ctx context.Context) (ingest.Waiting, error)
	Webhooks(ctx context.Context) ([]ingest.Webhook, error)
	VerdictSums(ctx context.Context, f ingest.VerdictFilter) (map[string]map[verdict.Code]int64, error)
	VerdictGroups(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.VerdictGroup, error)
	VerdictPlaces(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.Place, error)
	RecordVerdict(ctx context.Context, objectID, line int64) (ingest.RecordVerdict, error)
}

// Syncs is what the screens read of past and present runs.
type Syncs interface {
	// Own lists runs, newest first: of feeds' runs only those that are under way.
	Own(ctx context.Context, limit int) ([]pipeline.Run, error)
	Run(ctx context.Context, id int64) (pipeline.Run, error)
	Connections(ctx context.Context) ([]pipeline.Connection, error)
}

// Bucket gives the lake's objects, to show a record as it lies there.
type Bucket interface {
	Get(ctx context.Context, key string) (io.ReadCloser, lake.Object, error)
}

// Search finds lines of the lake that contain a text, at most limit, newest objects first. It may end early when ctx
// does: whole is then false.
type Search interface {
	Lines(ctx context.Context, text string, limit int) (found []ingest.Place, whole bool, err error)
}
