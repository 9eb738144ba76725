package replay_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

// ocean is an integration built on Ocean: kind okta, installation my-okta.
type ocean struct {
	client
	integration oceanIntegration
	state       string // last resync request followed
	failed      []oceanEntity
	seen        map[string]bool // entities of this resync, "blueprint;identifier"
}

type oceanIntegration struct {
	InstallationID           string                     `json:"installationId"`
	InstallationAppType      string                     `json:"installationAppType"`
	InstallationType         string                     `json:"installationType"`
	Version                  string                     `json:"version"`
	ChangelogDestination     map[string]any             `json:"changelogDestination"`
	Config                   *oceanConfig               `json:"config"`
	ActionsProcessingEnabled *bool                      `json:"actionsProcessingEnabled"`
	IncrementalSyncEnabled   *bool                      `json:"incrementalSyncEnabled"`
	ProcessingMode           *string                    `json:"processingMode"`
	Initialized              *bool                      `json:"arePortResourcesInitialized"`
	LogAttributes            struct{ IngestURL string } `json:"logAttributes"`
	MetricAttributes         struct{ IngestURL string } `json:"metricAttributes"`
	IngestAttributes         struct{ IngestURL string } `json:"ingestAttributes"`
	ResyncState              struct {
		UpdatedAt time.Time `json:"updatedAt"`
		Status    string    `json:"status"`
	} `json:"resyncState"`
	UpdatedAt time.Time `json:"updatedAt"`
}

type oceanConfig struct {
	CreateMissingRelatedEntities bool              `json:"createMissingRelatedEntities"`
	DeleteDependentEntities      bool              `json:"deleteDependentEntities"`
	EnableMergeEntity            bool              `json:"enableMergeEntity"`
	EntityDeletionThreshold      float64           `json:"entityDeletionThreshold"`
	Resources                    []json.RawMessage `json:"resources"`
}

type oceanEntity struct {
	Identifier string         `json:"identifier"`
	Blueprint  string         `json:"blueprint"`
	Title      string         `json:"title,omitempty"`
	Properties map[string]any `json:"properties"`
	Relations  map[string]any `json:"relations"`
}

const (
	oceanAgent    = "port-ocean/okta/1.2.3/my-okta"
	oceanExporter = "User-Agent: " + oceanAgent + "/exporter"
	oceanPath     = "/v1/integration/my-okta"
	oceanQuery    = "?byField=installationId&oceanCoreVersion=0.48.0"
)

func newOcean(t *testing.T, origin string) *ocean {
	return &ocean{client: client{T: t, origin: origin, agent: oceanAgent}}
}

// start is everything up to the event listener.
func (o *ocean) start() {
	o.Helper()
	o.signIn()
	before := o.send("GET", oceanPath+oceanQuery, "")
	var provisioned struct{ Integrations []string }
	o.send("GET", "/v1/integration/provision-enabled", "").ok(200, &provisioned)
	var home struct {
		Organization struct {
			ID, Name     string
			FeatureFlags []string
		}
	}
	o.send("GET", "/v1/organization", "").ok(200, &home)
	if provisioned.Integrations == nil || len(provisioned.Integrations) > 0 || home.Organization.FeatureFlags == nil || len(home.Organization.FeatureFlags) > 0 || home.Organization.ID == "" {
		o.Fatalf("want no provisioning and no flags: %+v, %+v", provisioned, home)
	}
	if before.status == 404 {
		before.failed(404, "not_found")
		o.send("GET", oceanPath+oceanQuery, "").failed(404, "not_found")
		o.decode(o.send("POST", "/v1/integration", `{"installationId":"my-okta","installationAppType":"okta","version":"1.2.3","changelogDestination":{},
			"config":{},"actionsProcessingEnabled":false,"incrementalSyncEnabled":true,"processingMode":"default","createPortResourcesOrigin":"Ocean"}`))
	}
	o.read()
	i := o.integration
	if i.InstallationType != "OnPrem" || i.InstallationAppType != "okta" || i.Version != "1.2.3" || i.ChangelogDestination == nil ||
		i.ActionsProcessingEnabled == nil || i.IncrementalSyncEnabled == nil || !*i.IncrementalSyncEnabled || i.ProcessingMode == nil || i.Initialized == nil {
		o.Fatalf("the integration is not echoed, and would be patched at every start: %+v", i)
	}
	if !*i.Initialized {
		o.install()
	}
}

func (o *ocean) read() {
	o.Helper()
	o.decode(o.send("GET", oceanPath+oceanQuery, ""))
}

func (o *ocean) decode(a answer) {
	o.Helper()
	var got struct{ Integration oceanIntegration }
	a.ok(200, &got)
	o.integration = got.Integration
	if o.integration.InstallationID != "my-okta" || o.integration.LogAttributes.IngestURL == "" || o.integration.MetricAttributes.IngestURL == "" ||
		o.integration.IngestAttributes.IngestURL == "" || o.integration.ResyncState.UpdatedAt.IsZero() {
		o.Fatalf("%s: %s", a.call, a.body)
	}
}

// install makes the default resources in stages: bare blueprints, then their relations, then the rest.
func (o *ocean) install() {
	o.Helper()
	const bare = `"identifier":"%s","title":"%s","icon":"Okta","schema":{"properties":{"status":{"type":"string","enum":["ACTIVE","GONE"]},"_links":{"type":"object"},"n":{"type":"number"}},"required":[]}`
	relations := map[string]string{
		"okta_user":       `"relations":{"manager":{"title":"Manager","target":"okta_user","required":false,"many":false}}`,
		"okta_group":      `"relations":{"members":{"target":"okta_user","required":false,"many":true},"owner":{"target":"okta_user","required":true,"many":false}}`,
		"okta_permission": `"relations":{}`,
	}
	rest := map[string]string{"okta_user": `"mirrorProperties":{"managerStatus":{"title":"Manager status","path":"manager.status"}},"calculationProperties":{"isActive":{"type":"boolean","calculation":".properties.status == \"ACTIVE\""}}`}
	names := []string{"okta_group", "okta_user", "okta_permission"}
	for _, name := range names {
		o.send("GET", "/v1/blueprints/"+name, "").failed(404, "not_found")
		o.send("POST", "/v1/blueprints", "{"+fmt.Sprintf(bare, name, name)+"}").ok(201)
	}
	for _, name := range names {
		o.send("PATCH", "/v1/blueprints/"+name, "{"+fmt.Sprintf(bare, name, name)+","+relations[name]+"}").ok(200)
	}
	for _, name := range names {
		body := "{" + fmt.Sprintf(bare, name, name) + "," + relations[name]
		if rest[name] != "" {
			body += "," + rest[name]
		}
		var got struct {
			Blueprint struct {
				Schema                                                                    struct{ Properties map[string]json.RawMessage }
				Relations, MirrorProperties, CalculationProperties, AggregationProperties map[string]json.RawMessage
			}
		}
		o.send("PATCH", "/v1/blueprints/"+name, body+"}").ok(200, &got)
		if len(got.Blueprint.Schema.Properties) != 3 || got.Blueprint.AggregationProperties == nil || name == "okta_user" &&
			(len(got.Blueprint.Relations) != 1 || len(got.Blueprint.MirrorProperties) != 1 || len(got.Blueprint.CalculationProperties) != 1) {
			o.Fatalf("after the stages %s is %+v", name, got)
		}
	}
	o.send("POST", "/v1/blueprints/okta_user/scorecards", `{"identifier":"hygiene","title":"Hygiene","rules":[{"identifier":"managed","title":"Managed","level":"Gold",
		"query":{"combinator":"and","conditions":[{"relation":"manager","operator":"isNotEmpty"}]}}]}`).ok(201)
	for _, tolerated := range []string{"/v1/actions", "/v1/pages"} {
		if a := o.send("POST", tolerated, `{"identifier":"x"}`); a.status >= 500 {
			o.Errorf("%s: %d: %s", a.call, a.status, a.body)
		}
	}
	o.decode(o.send("PATCH", oceanPath, `{"arePortResourcesInitialized":true,"config":{"createMissingRelatedEntities":false,"deleteDependentEntities":true,
		"enableMergeEntity":true,"entityDeletionThreshold":0.9,"resources":[{"kind":"users","selector":{"query":"true"},"port":{"entity":{"mappings":{"identifier":".id","blueprint":"\"okta_user\""}}}}]}}`, "x-skip-resync: true"))
	if !*o.integration.Initialized || len(o.integration.Config.Resources) != 1 {
		o.Fatalf("after the defaults: %+v", o.integration)
	}
}

// poll asks once whether to resync.
func (o *ocean) poll() bool {
	o.Helper()
	var got struct {
		Request *struct{ ID, UpdatedAt string }
	}
	o.send("GET", oceanPath+"/resync-request", "").ok(200, &got)
	if got.Request == nil || got.Request.UpdatedAt == "" || got.Request.ID == "" {
		o.Fatalf("no request to resync: the integration would wait for ever")
	}
	asked := got.Request.UpdatedAt != o.state
	o.state = got.Request.UpdatedAt
	return asked
}

// resync reads everything of the source anew: kinds in their order, then what failed, then what is gone.
func (o *ocean) resync(event string, kinds ...[]oceanEntity) (deleted int) {
	o.Helper()
	started := o.report(`{"status":"running","lastResyncStart":"2026-01-05T10:00:00.000Z","intervalInMinuets":60}`)
	o.read()
	o.seen, o.failed = map[string]bool{}, nil
	for n, entities := range kinds {
		o.export(event, entities)
		metrics := o.integration.MetricAttributes.IngestURL
		o.send("POST", metrics+"/syncMetrics", `{"syncKindsMetrics":[{"eventId":"`+event+`","kindIdentifier":"kind `+fmt.Sprint(n)+`"}]}`).ok(200)
		o.send("PUT", metrics+"/syncMetrics/resync/"+event+"/kind/kind+"+fmt.Sprint(n), `{"syncKindMetrics":{"eventId":"`+event+`","kindIdentifier":"kind `+fmt.Sprint(n)+`","syncState":"completed"}}`).ok(200)
		o.send("POST", metrics+"/heartbeat", `{}`).ok(200)
		o.send("POST", oceanPath+"/kinds/users/examples", `{"examples":[{"id":"x"}]}`).ok(200)
	}
	o.send("POST", o.integration.LogAttributes.IngestURL, `{"logs":[{"message":"done","level":"INFO","timestamp":"2026-01-05T10:00:00Z","extra":{}}]}`).ok(200)
	o.retry()
	deleted = o.reconcile(started)
	o.report(`{"status":"completed","lastResyncEnd":"2026-01-05T10:05:00.000Z"}`)
	return deleted
}

// report tells the state of the resync, and remembers its time as an own change.
func (o *ocean) report(state string) time.Time {
	o.Helper()
	var got struct {
		Integration struct {
			ResyncState struct{ UpdatedAt time.Time }
		}
	}
	o.send("PATCH", oceanPath+"/resync-state", state).ok(200, &got)
	if got.Integration.ResyncState.UpdatedAt.IsZero() {
		o.Fatal("resync-state answers no time")
	}
	return got.Integration.ResyncState.UpdatedAt
}

// export upserts entities in bulks of 20, those left out that are already so.
func (o *ocean) export(event string, entities []oceanEntity) {
	o.Helper()
	left := entities
	if len(entities) > 10 {
		left = nil
		present := o.present(entities)
		for _, e := range entities {
			o.seen[e.Blueprint+";"+e.Identifier] = true
			if p, ok := present[e.Blueprint+";"+e.Identifier]; !ok || !reflect.DeepEqual(p, normal(e.Properties)) {
				left = append(left, e)
			}
		}
	}
	for bulk := range slices.Chunk(left, 20) {
		for _, e := range bulk {
			o.seen[e.Blueprint+";"+e.Identifier] = true
		}
		var got struct {
			Entities []struct {
				Index      *int
				Identifier string
				Created    *bool
			}
			Errors []struct {
				Index                      *int
				Identifier, Error, Message string
				StatusCode                 int
			}
		}
		a := o.send("POST", "/v1/blueprints/"+bulk[0].Blueprint+"/entities/bulk?upsert=true&merge=true&create_missing_related_entities=false&validation_only=false&ocean_info_event_type=resync&ocean_info_resync_id="+event,
			toJSON(map[string]any{"entities": bulk}), oceanExporter)
		if a.status == 207 {
			a.ok(207, &got)
		} else {
			a.ok(200, &got)
		}
		if len(got.Entities)+len(got.Errors) != len(bulk) || got.Errors == nil || got.Entities == nil || a.status == 207 != (len(got.Errors) > 0) {
			o.Fatalf("%s: %d of %d entities are answered: %s", a.call, len(got.Entities)+len(got.Errors), len(bulk), a.body)
		}
		for _, e := range got.Errors {
			if bulk[*e.Index].Identifier != e.Identifier || e.StatusCode < 400 || e.Message == "" {
				o.Fatalf("an error that cannot be matched: %+v", e)
			}
			o.failed = append(o.failed, bulk[*e.Index])
		}
	}
}

func normal(properties map[string]any) (out map[string]any) {
	_ = json.Unmarshal([]byte(toJSON(properties)), &out)
	return out
}

// present reads the state of entities in batches of 50.
func (o *ocean) present(entities []oceanEntity) map[string]map[string]any {
	o.Helper()
	all := map[string]map[string]any{}
	for batch := range slices.Chunk(entities, 50) {
		var rules []any
		for _, e := range batch {
			rules = append(rules, map[string]any{"combinator": "and", "rules": []any{
				map[string]any{"property": "$identifier", "operator": "=", "value": e.Identifier}, map[string]any{"property": "$blueprint", "operator": "=", "value": e.Blueprint},
			}})
		}
		query := map[string]any{"combinator": "and", "rules": []any{map[string]any{"combinator": "or", "rules": rules}}}
		params := url.Values{"exclude_calculated_properties": {"true"}, "include": {"blueprint", "identifier", "properties.status", "properties.n"}}
		var got struct{ Entities []oceanEntity }
		o.send("POST", "/v1/entities/search?"+params.Encode(), toJSON(query), oceanExporter).ok(200, &got)
		for _, e := range got.Entities {
			if e.Identifier == "" || e.Blueprint == "" || len(e.Properties) != 2 || e.Relations != nil {
				o.Fatalf("search answers %+v, want what was included", e)
			}
			all[e.Blueprint+";"+e.Identifier] = e.Properties
		}
	}
	return all
}

// retry upserts what failed one by one, each after what it relates to.
func (o *ocean) retry() {
	o.Helper()
	waiting := map[string]oceanEntity{}
	for _, e := range o.failed {
		waiting[e.Identifier] = e
	}
	var done []string
	var visit func(e oceanEntity)
	visit = func(e oceanEntity) {
		delete(waiting, e.Identifier)
		for _, value := range e.Relations {
			targets, many := value.([]any)
			if !many {
				targets = []any{value}
			}
			for _, target := range targets {
				if id, ok := target.(string); ok {
					if next, ok := waiting[id]; ok {
						visit(next)
					}
				}
			}
		}
		a := o.send("POST", "/v1/blueprints/"+e.Blueprint+"/entities?upsert=true&merge=true&create_missing_related_entities=false&validation_only=false", toJSON(e), oceanExporter)
		var got struct {
			OK     bool
			Error  string
			Entity oceanEntity
		}
		if err := json.Unmarshal(a.body, &got); err != nil {
			o.Fatal(err)
		}
		if a.status < 300 {
			done = append(done, e.Identifier)
		}
		if a.status >= 500 || a.status < 300 && got.Entity.Identifier != e.Identifier {
			o.Fatalf("%s: %d %s", a.call, a.status, a.body)
		}
	}
	for _, e := range o.failed {
		if _, left := waiting[e.Identifier]; left {
			visit(e)
		}
	}
	o.Logf("%d failed, %d of them went in on their own: %v", len(o.failed), len(done), done)
}

// reconcile deletes what this installation once wrote and has not seen now, unless that is too much.
func (o *ocean) reconcile(started time.Time) (deleted int) {
	o.Helper()
	var all []oceanEntity
	from := ""
	for {
		body := map[string]any{"datasource_prefix": "port-ocean/okta/", "datasource_suffix": "/my-okta/exporter", "limit": 7, "before": started.Format("2006-01-02T15:04:05.000Z")}
		if from != "" {
			body["from"] = from
		}
		var got struct {
			Entities []oceanEntity
			Next     *string
		}
		o.send("POST", "/v1/blueprints/entities/datasource-entities", toJSON(body), oceanExporter).ok(200, &got)
		if got.Entities == nil || len(got.Entities) > 7 {
			o.Fatalf("a page of %d entities, want at most 7", len(got.Entities))
		}
		all = append(all, got.Entities...)
		if got.Next == nil {
			break
		}
		from = *got.Next
	}
	stale := map[string][]string{}
	n := 0
	for _, e := range all {
		if !o.seen[e.Blueprint+";"+e.Identifier] {
			stale[e.Blueprint] = append(stale[e.Blueprint], e.Identifier)
			n++
		}
	}
	if len(all) > 0 && float64(n)/float64(len(all)) > o.integration.Config.EntityDeletionThreshold {
		return 0
	}
	for blueprint, ids := range stale {
		for part := range slices.Chunk(ids, 100) {
			var got struct{ DeletedEntities []string }
			o.send("POST", "/v1/blueprints/"+blueprint+"/bulk/entities/delete?delete_dependents=true", toJSON(map[string]any{"entities": part}), oceanExporter).ok(200, &got)
			deleted += len(got.DeletedEntities)
		}
	}
	return deleted
}

// count is how many entities a blueprint has.
func (o *ocean) count(blueprint string) int {
	o.Helper()
	var got struct{ Count int }
	o.send("GET", "/v1/blueprints/"+blueprint+"/entities-count", "").ok(200, &got)
	return got.Count
}

// oktaUsers are users whose managers come later, so that a bulk meets relations out of order.
func oktaUsers(n int) (list []oceanEntity) {
	for i := range n {
		e := oceanEntity{Identifier: fmt.Sprintf("00u%d", i), Blueprint: "okta_user", Title: fmt.Sprintf("User %d", i), Properties: map[string]any{"status": "ACTIVE", "n": i}, Relations: map[string]any{}}
		if i+1 < n {
			e.Relations["manager"] = fmt.Sprintf("00u%d", i+1)
		}
		list = append(list, e)
	}
	return list
}

func oktaGroups(users int) (list []oceanEntity) {
	for i := range 5 {
		list = append(list, oceanEntity{
			Identifier: fmt.Sprintf("00g%d", i), Blueprint: "okta_group", Properties: map[string]any{"n": i},
			Relations: map[string]any{"owner": fmt.Sprintf("00u%d", i), "members": []any{fmt.Sprintf("00u%d", users-1), "00u0"}},
		})
	}
	return list
}

const permission = "https://acme.okta.com/api/v1/iam/roles/cr0/permissions/okta.users.read"

func TestOceanRun(t *testing.T) {
	rules.Of(t, "1.3-5", "1.3-7", "2.5-4", "3.6-2", "3.6-4", "3.8-1", "4.6-1", "4.6-2", "4.7-1", "10.1-1", "10.1-2", "10.1-3", "10.1-4", "10.1-6", "10.2-2", "10.2-4", "10.4-1", "10.4-2")
	origin, _ := serve(t)
	o := newOcean(t, origin)
	o.start()
	if !o.poll() {
		t.Fatal("the first poll asks for no resync")
	}
	if o.poll() {
		t.Fatal("the second poll asks again")
	}

	// A person's own entity, and one of another installation of the same kind, are nobody's to delete.
	o.send("POST", "/v1/blueprints/okta_user/entities?upsert=true", `{"identifier":"by-hand","properties":{}}`, "User-Agent: terraform-provider-port-labs/0.1").ok(201)
	o.send("POST", "/v1/blueprints/okta_user/entities?upsert=true", `{"identifier":"others","properties":{}}`, "User-Agent: port-ocean/okta/1.2.3/not-my-okta/exporter").ok(201)

	permissions := []oceanEntity{{Identifier: permission, Blueprint: "okta_permission", Properties: map[string]any{"_links": map[string]any{"self": permission}}}}
	users, groups := oktaUsers(55), oktaGroups(55)
	bad := oceanEntity{Identifier: "bad", Blueprint: "okta_user", Properties: map[string]any{"n": "many"}, Relations: map[string]any{}}
	// Groups come before the users that they need: all fail, and go in at the end.
	if n := o.resync("r1", groups, append(slices.Clone(users), bad), permissions); n != 0 {
		t.Errorf("the first resync deletes %d entities", n)
	}
	if u, g, p := o.count("okta_user"), o.count("okta_group"), o.count("okta_permission"); u != 57 || g != 5 || p != 1 {
		t.Fatalf("after the first resync: %d users, %d groups, %d permissions; want 57, 5, 1", u, g, p)
	}
	var one struct {
		Entity struct {
			oceanEntity
			Team       []string
			Scorecards map[string]struct{ Level string }
		}
	}
	o.send("GET", "/v1/blueprints/okta_user/entities/00u3", "").ok(200, &one)
	if one.Entity.Relations["manager"] != "00u4" || one.Entity.Properties["managerStatus"] != "ACTIVE" || one.Entity.Properties["isActive"] != true ||
		one.Entity.Team == nil || one.Entity.Scorecards["hygiene"].Level != "Gold" {
		t.Errorf("user 00u3 is %+v", one.Entity)
	}
	o.send("GET", "/v1/blueprints/okta_permission/entities/"+url.QueryEscape(permission), "").ok(200)

	// Someone presses the button; three users are gone, one has changed.
	if o.poll() {
		t.Error("a resync's own reports ask for another")
	}
	o.send("PATCH", oceanPath, `{}`).ok(200)
	if !o.poll() {
		t.Error("an empty patch asks for no resync")
	}
	users = oktaUsers(52)
	users[0].Properties["status"] = "GONE"
	if n := o.resync("r2", oktaGroups(52), users, permissions); n != 3 {
		t.Errorf("the second resync deletes %d entities, want the 3 that are gone", n)
	}
	if n := o.count("okta_user"); n != 54 {
		t.Errorf("%d users are left, want 54", n)
	}
	o.send("GET", "/v1/blueprints/okta_user/entities/00u54", "").failed(404, "not_found")

	// A source that answers nothing must not empty the catalog: that is the client's threshold.
	if n := o.resync("r3", nil); n != 0 {
		t.Errorf("an empty source deletes %d entities", n)
	}

	// A live event deletes one, by an escaped path, and what is not there is no trouble.
	path := "/v1/blueprints/okta_permission/entities/" + url.QueryEscape(permission) + "?delete_dependents=true"
	o.send("DELETE", path, "", oceanExporter).ok(200)
	o.send("DELETE", path, "", oceanExporter).failed(404, "not_found")

	// What every entity of the installation is, the way older versions ask.
	var mine struct {
		Entities           []oceanEntity
		MatchingBlueprints []string
	}
	o.send("POST", "/v1/entities/search?exclude_calculated_properties=true&include=blueprint&include=identifier", `{"combinator":"and","rules":[
		{"property":"$datasource","operator":"contains","value":"port-ocean/okta/"},{"property":"$datasource","operator":"contains","value":"/my-okta/exporter"}]}`, oceanExporter).ok(200, &mine)
	if len(mine.Entities) != 52+5 || slices.ContainsFunc(mine.Entities, func(e oceanEntity) bool { return e.Identifier == "by-hand" || e.Identifier == "others" }) {
		t.Errorf("%d entities are the installation's, want 57 without those of others", len(mine.Entities))
	}

	// It starts again: nothing is made or patched anew, but the first poll asks, since it has forgotten.
	again := newOcean(t, origin)
	again.start()
	if !again.poll() {
		t.Error("after a restart the first poll asks for no resync")
	}

	// A token that ran out is 401, and one more sign-in mends it.
	again.token = strings.Repeat("x", 20)
	again.send("GET", oceanPath+oceanQuery, "").failed(401, "unauthorized")
	again.signIn()
	again.send("DELETE", oceanPath, "").ok(200)
	again.send("GET", oceanPath+oceanQuery, "").failed(404, "not_found")
}

// What Ocean creates bare when the config says so is the writer's own, and is completed later.
func TestOceanCreatesMissingRelated(t *testing.T) {
	rules.Of(t, "4.7-1")
	origin, _ := serve(t)
	o := newOcean(t, origin)
	o.start()
	var got struct{ Entity oceanEntity }
	o.send("POST", "/v1/blueprints/okta_group/entities?upsert=true&merge=true&create_missing_related_entities=true", `{"identifier":"g","properties":{},"relations":{"owner":"00u9","members":["00u8"]}}`, oceanExporter).ok(201, &got)
	o.send("GET", "/v1/blueprints/okta_user/entities/00u8", "").ok(200)

	list := func(body string) []string {
		t.Helper()
		var got struct{ Entities []oceanEntity }
		o.send("POST", "/v1/blueprints/entities/datasource-entities", body).ok(200, &got)
		ids := []string{}
		for _, e := range got.Entities {
			ids = append(ids, e.Identifier)
		}
		slices.Sort(ids)
		return ids
	}
	const ours = `"datasource_prefix":"port-ocean/okta/","datasource_suffix":"/my-okta/exporter"`
	if ids := list(`{` + ours + `}`); !slices.Equal(ids, []string{"00u8", "00u9", "g"}) {
		t.Errorf("the installation wrote %v", ids)
	}
	for why, body := range map[string]string{
		"nothing named": `{}`, "both empty": `{"datasource_prefix":"","datasource_suffix":""}`, "another suffix": `{"datasource_prefix":"port-ocean/okta/","datasource_suffix":"/y-okta/exporter"}`,
		"a prefix within": `{"datasource_prefix":"okta/","datasource_suffix":"/my-okta/exporter"}`, "before everything": `{` + ours + `,"before":"2020-01-01T00:00:00.000Z"}`,
	} {
		if ids := list(body); len(ids) > 0 {
			t.Errorf("%s: %v, want none", why, ids)
		}
	}
	// Whoever writes last is the source, whether the write changes something or not.
	o.send("POST", "/v1/blueprints/okta_group/entities?upsert=true&merge=true", `{"identifier":"g","properties":{}}`, "User-Agent: somebody/1").ok(200)
	if ids := list(`{` + ours + `}`); slices.Contains(ids, "g") {
		t.Errorf("the installation wrote %v, though somebody else wrote g after it", ids)
	}
}
