package portapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
)

// Keeper says who calls.
type Keeper interface {
	Token(clientID, clientSecret string) (auth.Token, time.Duration, error)
	Authenticate(r *http.Request) (auth.Principal, error)
	OrgID() string
}

// Catalog is what the entities' and blueprints' routes need; see [catalog.Catalog] for the contracts.
type Catalog interface {
	Blueprints(ctx context.Context) ([]catalog.Blueprint, error)
	Blueprint(ctx context.Context, id string) (catalog.Blueprint, error)
	CreateBlueprint(ctx context.Context, doc json.RawMessage, w catalog.Writer) (catalog.Blueprint, error)
	ReplaceBlueprint(ctx context.Context, id string, doc json.RawMessage, w catalog.Writer) (catalog.Blueprint, error)
	PatchBlueprint(ctx context.Context, id string, doc json.RawMessage, w catalog.Writer) (catalog.Blueprint, error)
	RenameProperty(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error)
	RenameMirror(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error)
	RenameRelation(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error)
	DeleteBlueprint(ctx context.Context, id string, w catalog.Writer) error
	DeleteAllEntities(ctx context.Context, id string, deleteBlueprint bool, w catalog.Writer) (catalog.Migration, error)
	Migrate(ctx context.Context, source string, mapping json.RawMessage, w catalog.Writer) (catalog.Migration, error)
	Migrations(ctx context.Context) ([]catalog.Migration, error)
	Migration(ctx context.Context, id string) (catalog.Migration, error)
	CancelMigration(ctx context.Context, id string) (catalog.Migration, error)
	Pages(ctx context.Context) ([]catalog.Page, error)
	Page(ctx context.Context, id string) (catalog.Page, error)
	CountEntities(ctx context.Context, blueprint string) (int64, error)
	Write(ctx context.Context, change catalog.Change) (catalog.Result, error)
	WriteAll(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error)
	WriteEach(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error)
	Entity(ctx context.Context, blueprint, identifier string) (catalog.Entity, error)
	EntityAs(ctx context.Context, blueprint, identifier string, how catalog.Reading) (catalog.Entity, error)
	Search(ctx context.Context, req catalog.SearchRequest) (catalog.SearchPage, error)
	CountMatches(ctx context.Context, req catalog.SearchRequest) (int64, error)
	FindWords(ctx context.Context, text string, limit int) ([]catalog.Entity, error)
	Aggregate(ctx context.Context, spec json.RawMessage) (json.RawMessage, error)
	AggregateOverTime(ctx context.Context, spec json.RawMessage) (json.RawMessage, error)
	PropertiesHistory(ctx context.Context, spec json.RawMessage) (json.RawMessage, error)
	History(ctx context.Context, filter catalog.HistoryFilter) ([]catalog.AuditEntry, error)
	Record(ctx context.Context, entries []catalog.AuditEntry) error
	Pending(ctx context.Context, samples int) (catalog.PendingReport, error)
}

// Webhooks keeps webhooks.
type Webhooks interface {
	Webhooks(ctx context.Context) ([]ingest.Webhook, error)
	// Webhook returns the webhook of that identifier, or fault.NotFound.
	Webhook(ctx context.Context, identifier string) (ingest.Webhook, error)
	// PutWebhook creates (ID 0) or changes a webhook. Errors: fault.Conflict when the identifier is taken.
	PutWebhook(ctx context.Context, w ingest.Webhook) (ingest.Webhook, error)
	DeleteWebhook(ctx context.Context, identifier string) error
}

// Receiver takes webhook calls; see [ingest.Receiver].
type Receiver interface {
	Known(ctx context.Context, key string) (maxBytes int64, err error)
	Receive(ctx context.Context, key string, call ingest.Call) (ingest.Taken, error)
	Latest(ctx context.Context, hook ingest.Webhook, stream string) (ingest.LatestEvent, error)
}

// Ledger tells what became of records.
type Ledger interface {
	List(ctx context.Context, f ingest.ObjectFilter, limit int) ([]ingest.Object, error)
	VerdictGroups(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.VerdictGroup, error)
	VerdictPlaces(ctx context.Context, f ingest.VerdictFilter, limit int) ([]ingest.Place, error)
	RecordVerdict(ctx context.Context, objectID, line int64) (ingest.RecordVerdict, error)
}

// Syncs tells about runs.
type Syncs interface {
	Runs(ctx context.Context, limit int) ([]pipeline.Run, error)
	Run(ctx context.Context, id int64) (pipeline.Run, error)
	// Receipt returns a run's stored receipt, or fault.NotFound.
	Receipt(ctx context.Context, id int64) (json.RawMessage, error)
}

// Config is what an API needs. All members but the last four must be set.
type Config struct {
	Keeper   Keeper
	Catalog  Catalog
	Webhooks Webhooks
	Receiver Receiver
	Ledger   Ledger
	Syncs    Syncs

	Organization Organization
	Teams        Teams
	Integrations Integrations
	Scorecards   Scorecards
	Permissions  Permissions // nil: none are kept, and all callers see everything
	Credentials  Credentials // nil: none are kept beside the settings'

	OrgName   string           // "" means Longshore
	PublicURL string           // origin for the webhooks' url; "" takes the request's own
	Log       *slog.Logger     // nil means none
	Now       func() time.Time // nil means time.Now
}

// API answers. It is made by New.
type API struct {
	Config
	routes   router
	refusals refusals
	origin   *http.CrossOriginProtection
	pool     *sync.Pool
	// document is the OpenAPI document, made when it is first asked for.
	document func() map[string]any
}

// New returns the handler of /v1/* and /ingest/*.
func New(cfg Config) *API {
	if cfg.OrgName == "" {
		cfg.OrgName = "Longshore"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{Config: cfg, origin: http.NewCrossOriginProtection(), pool: newPool()}
	a.routes = a.table()
	a.document = sync.OnceValue(a.routes.openapi)
	return a
}

// table is every route, with what it needs of its caller. The first that fits is taken, so literal segments stand before
// names.
func (a *API) table() router {
	var t router
	t.open("GET /v1/openapi.json", a.getOpenAPI)
	t.open("POST /v1/auth/access_token", a.postAccessToken)
	t.open("POST /ingest/{key}", a.postCall)

	a.organizationRoutes(&t)
	t.add("GET /v1/audit-log", a.getAuditLog, needRead)
	t.add("GET /v1/migrations", a.getMigrations, needModel)
	t.add("POST /v1/migrations", a.postMigration, needModel)
	t.add("GET /v1/migrations/{id}", a.getMigration, needModel)
	t.add("POST /v1/migrations/{id}/cancel", a.cancelMigration, needModel)
	t.add("GET /v1/pages", a.getPages, needRead)
	t.add("GET /v1/pages/{page}", a.getPage, needRead)

	t.add("GET /v1/blueprints", a.getBlueprints, needRead)
	t.add("POST /v1/blueprints", a.postBlueprint, needModel)
	t.add("POST /v1/blueprints/entities/datasource-entities", a.postDatasourceEntities, needRead)
	t.add("GET /v1/blueprints/system/{blueprint}/structure", a.getStructure, needRead)
	t.add("GET /v1/blueprints/{blueprint}", a.getBlueprint, needRead)
	t.add("PUT /v1/blueprints/{blueprint}", a.putBlueprint, needModel)
	t.add("PATCH /v1/blueprints/{blueprint}", a.patchBlueprint, needModel)
	t.add("DELETE /v1/blueprints/{blueprint}", a.deleteBlueprint, needModel)
	t.add("DELETE /v1/blueprints/{blueprint}/all-entities", a.deleteAllEntities, needModel)
	t.add("GET /v1/blueprints/{blueprint}/permissions", a.getPermissions, needRead)
	t.add("PATCH /v1/blueprints/{blueprint}/permissions", a.patchPermissions, needAdmin)
	t.add("GET /v1/blueprints/{blueprint}/entities-count", a.getEntitiesCount, needRead)
	t.add("PATCH /v1/blueprints/{blueprint}/properties/{name}/rename", a.renameProperty, needModel)
	t.add("PATCH /v1/blueprints/{blueprint}/mirror/{name}/rename", a.renameMirror, needModel)
	t.add("PATCH /v1/blueprints/{blueprint}/relations/{name}/rename", a.renameRelation, needModel)

	t.add("GET /v1/blueprints/{blueprint}/entities", a.getEntities, needRead)
	t.add("POST /v1/blueprints/{blueprint}/entities", a.postEntity, needUpsert)
	t.add("POST /v1/blueprints/{blueprint}/entities/bulk", a.postBulk, needUpsert)
	t.add("POST /v1/blueprints/{blueprint}/entities/search", a.postBlueprintSearch, needRead)
	t.add("POST /v1/blueprints/{blueprint}/entities/search/count", a.postSearchCount, needRead)
	t.add("POST /v1/blueprints/{blueprint}/entities/top-search", a.postTopSearch, needRead)
	t.add("POST /v1/blueprints/{blueprint}/bulk/entities/delete", a.deleteBulk, needWrite)
	t.add("DELETE /v1/blueprints/{blueprint}/bulk/entities", a.deleteBulk, needWrite)
	t.add("GET /v1/blueprints/{blueprint}/entities/{entity}", a.getEntity, needRead)
	t.add("PUT /v1/blueprints/{blueprint}/entities/{entity}", a.putEntity, needWrite)
	t.add("PATCH /v1/blueprints/{blueprint}/entities/{entity}", a.patchEntity, needWrite)
	t.add("DELETE /v1/blueprints/{blueprint}/entities/{entity}", a.deleteEntity, needWrite)
	t.add("POST /v1/entities/search", a.postSearch, needRead)
	t.add("POST /v1/entities/aggregate", a.postAggregate, needRead)
	t.add("POST /v1/entities/aggregate-over-time", a.postAggregateOverTime, needRead)
	t.add("POST /v1/entities/properties-history", a.postPropertiesHistory, needRead)

	t.add("GET /v1/webhooks", a.getWebhooks, needAdmin)
	t.add("POST /v1/webhooks", a.postWebhook, needAdmin)
	t.add("GET /v1/webhooks/metadata", a.getWebhooksMetadata, needAdmin)
	t.add("GET /v1/webhooks/{webhook}", a.getWebhook, needAdmin)
	t.add("PUT /v1/webhooks/{webhook}", a.putWebhook, needAdmin)
	t.add("PATCH /v1/webhooks/{webhook}", a.patchWebhook, needAdmin)
	t.add("DELETE /v1/webhooks/{webhook}", a.deleteWebhook, needAdmin)
	t.add("GET /v1/webhooks/{webhook}/latest-event", a.getLatestEvent, needRecords)
	t.add("POST /v1/webhooks/{webhook}/test-mapping", a.postTestMapping, needAdmin)
	t.add("POST /v1/webhooks/{webhook}/rotate-secret", a.postRotateSecret, needAdmin)

	a.scorecardRoutes(&t)
	a.integrationRoutes(&t)

	t.add("GET /v1/longshore/credentials", a.getCredentials, needAdmin)
	t.add("POST /v1/longshore/credentials", a.postCredential, needAdmin)
	t.add("PATCH /v1/longshore/credentials/{credential}", a.patchCredential, needAdmin)
	t.add("POST /v1/longshore/credentials/{credential}/rotate", a.rotateCredential, needAdmin)
	t.add("GET /v1/longshore/verdicts", a.getVerdicts, needRecords)
	t.add("GET /v1/longshore/records", a.getRecords, needRecords)
	t.add("GET /v1/longshore/objects", a.getObjects, needRecords)
	t.add("GET /v1/longshore/objects/{object}/lines/{line}", a.getRecord, needRecords)
	t.add("GET /v1/longshore/syncs", a.getSyncs, needRecords)
	t.add("GET /v1/longshore/syncs/{sync}", a.getSync, needRecords)
	t.add("GET /v1/longshore/receipts/{sync}", a.getReceipt, needRecords)
	t.add("GET /v1/longshore/pending", a.getPending, needRead)
	t.add("GET /v1/longshore/search", a.getWords, needRead)
	return t
}

// ServeHTTP routes, authenticates, calls the handler, and turns its error into an answer.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, names, err := a.routes.find(r)
	if err == nil && route.needs != anybody {
		err = a.authenticated(w, r, names, route)
	} else if err == nil {
		err = route.handle(w, &request{Request: r, names: names})
	}
	if err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) authenticated(w http.ResponseWriter, r *http.Request, names map[string]string, route *route) error {
	who, err := a.Keeper.Authenticate(r)
	if err != nil {
		return err
	}
	// A session rides along with whatever a page of this machine sends, another port's too; a token does not.
	if !who.Machine && a.origin.Check(r) != nil {
		return &statusError{status: http.StatusForbidden, code: "cross_origin", message: "a page of another origin may not do this with a browser's session"}
	}
	req := &request{Request: r, names: names, who: who}
	// A browser's answers stay as they are: what an attacker's page can make it ask for must not tell by its length.
	if !who.Machine || !accepts(r) {
		return a.enter(w, req, route)
	}
	p := &packer{ResponseWriter: w, pool: a.pool}
	if err := a.enter(p, req, route); err != nil {
		return err // nothing was begun
	}
	p.Close()
	return nil
}
