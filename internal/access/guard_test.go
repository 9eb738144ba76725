package access

import (
	"context"
	"reflect"
	"testing"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// unguarded are the methods of the catalog that a caller may use whatever the permissions say: they tell nothing of
// entities and change none, or the doors give them to admins alone.
var unguarded = map[string]string{
	"Apply": "ingest's, by no door", "Export": "the command's, by no door", "Record": "the doors' own", "Retain": "the job's, by no door", "RetentionRuns": "policies and counts, for why", "SearchPlan": "by no door", "FindWordsAmong": "the Guard's own",
	"Seen": "the Guard's own", "Gated": "the Guard's own", "SetPermissions": "the Guard's own", "FormerPermissions": "the Guard's own",
	"Scorecard": "the model", "Scorecards": "the model", "CreateScorecard": "admins", "ReplaceScorecard": "admins", "PatchScorecard": "admins", "DeleteScorecard": "admins",
	"Blueprints": "the model", "Blueprint": "the model", "CreateBlueprint": "admins", "ReplaceBlueprint": "admins", "PatchBlueprint": "admins",
	"DeleteBlueprint": "admins", "DeleteAllEntities": "admins", "RenameMirror": "admins", "RenameProperty": "admins", "RenameRelation": "admins",
	"Migrate": "admins", "Migrations": "admins", "Migration": "admins", "CancelMigration": "admins", "Pages": "the model", "Page": "the model",
}

// A method that is added to the catalog comes to callers through the Guard: it must be decided here what they may do with it.
func TestEveryMethodOfTheCatalogIsGuarded(t *testing.T) {
	whole := reflect.TypeFor[*catalog.Catalog]()
	for i := range whole.NumMethod() {
		name := whole.Method(i).Name
		if unguarded[name] != "" {
			continue
		}
		if err := callOfNobody(&Guard{Catalog: catalog.New(nil, nil)}, name); !fault.Is(err, fault.Denied) {
			t.Errorf("the Guard lets nobody call %s (%v): give it the method, or say in this test why not", name, err)
		}
	}
}

// callOfNobody calls a method with zero arguments and no caller, and returns its error. A method that goes on to the
// catalog below, which has no store here, panics: it is not guarded.
func callOfNobody(g *Guard, name string) (err error) {
	defer func() {
		if recover() != nil {
			err = nil
		}
	}()
	method := reflect.ValueOf(g).MethodByName(name)
	args := make([]reflect.Value, method.Type().NumIn())
	for i := range args {
		args[i] = reflect.Zero(method.Type().In(i))
	}
	args[0] = reflect.ValueOf(context.Background())
	if n := len(args); name == "WriteAll" || name == "WriteEach" {
		args[n-1] = reflect.ValueOf([]catalog.Change{{}})
	}
	out := method.Call(args)
	err, _ = out[len(out)-1].Interface().(error)
	if results, ok := out[0].Interface().([]catalog.Result); ok && len(results) == 1 {
		err = results[0].Err
	}
	return err
}

func TestRolesOfPort(t *testing.T) {
	for name, want := range map[string][]auth.Role{
		"Admin": {}, "Member": {auth.Editor, auth.Viewer, auth.Ingest}, "svc-moderator": {auth.Editor, auth.Ingest}, "viewer": {auth.Viewer}, "Editor": {auth.Editor},
		"somebody": {},
	} {
		for _, role := range []auth.Role{auth.Editor, auth.Viewer, auth.Ingest} {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == role
			}
			if holds(role, name) != wanted {
				t.Errorf("%s stands for %s: %t, want %t", name, role, !wanted, wanted)
			}
		}
	}
	admin := &caller{Principal: auth.Principal{Role: auth.Admin}}
	if !admin.may(Leaf{}) {
		t.Error("an admin is kept out")
	}
}
