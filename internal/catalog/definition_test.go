package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// document is a blueprint document with one member more; "" for none.
func document(member string) string {
	if member != "" {
		member = "," + member
	}
	return `{"identifier":"x","title":"X","schema":{"properties":{"p":{"type":"string"}},"required":[]},"relations":{"r":{"target":"x"}}` + member + `}`
}

func property(definition string) string {
	return `{"identifier":"x","title":"X","schema":{"properties":{"p":` + definition + `},"required":[]}}`
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	b := newBench(t)
	count := `"title":"A","target":"x","calculationSpec":{"func":"count","calculationBy":"entities"}`
	for name, c := range map[string]struct{ doc, says string }{
		"identifier of 101":          {strings.Replace(document(""), `"x"`, `"`+strings.Repeat("x", 101)+`"`, 1), "longer than 100"},
		"identifier is a number":     {strings.Replace(document(""), `"identifier":"x"`, `"identifier":1`, 1), "identifier"},
		"identifier is empty":        {strings.Replace(document(""), `"identifier":"x"`, `"identifier":""`, 1), "identifier"},
		"two dots":                   {strings.Replace(document(""), `"identifier":"x"`, `"identifier":".."`, 1), "identifier"},
		"title of 101":               {strings.Replace(document(""), `"title":"X"`, `"title":"`+strings.Repeat("é", 101)+`"`, 1), "title"},
		"title is empty":             {strings.Replace(document(""), `"title":"X"`, `"title":""`, 1), "title"},
		"description of 201":         {document(`"description":"` + strings.Repeat("d", 201) + `"`), "description"},
		"icon is a list":             {document(`"icon":[]`), "icon"},
		"schema is a list":           {strings.Replace(document(""), `{"properties":{"p":{"type":"string"}},"required":[]}`, `[]`, 1), "object"},
		"required is text":           {strings.Replace(document(""), `"required":[]`, `"required":"p"`, 1), "required"},
		"property of 101":            {strings.Replace(document(""), `"p"`, `"`+strings.Repeat("p", 101)+`"`, 1), "property name"},
		"property is text":           {property(`"string"`), "p"},
		"property is null":           {property(`null`), "p"},
		"property without type":      {property(`{}`), "type"},
		"property type is a list":    {property(`{"type":["string","null"]}`), "type"},
		"property type integer":      {property(`{"type":"integer"}`), "integer"},
		"property title is a number": {property(`{"type":"string","title":1}`), "title"},
		"property title of 101":      {property(`{"type":"string","title":"` + strings.Repeat("x", 101) + `"}`), "title"},
		"format is a number":         {property(`{"type":"string","format":1}`), "format"},
		"unknown spec":               {property(`{"type":"string","spec":"swagger"}`), "open-api"},
		"specAuthentication is text": {property(`{"type":"string","spec":"embedded-url","specAuthentication":"x"}`), "specAuthentication"},
		"unknown colour":             {property(`{"type":"string","enum":["a"],"enumColors":{"a":"mauve"}}`), "mauve"},
		"pattern is no expression":   {property(`{"type":"string","pattern":"("}`), "JSON Schema"},
		"pattern is a bomb":          {property(`{"type":"string","pattern":"((a{1000}){1000}){1000}"}`), "JSON Schema"},
		"pattern is long":            {property(`{"type":"string","pattern":"` + strings.Repeat("a", 2001) + `"}`), "pattern"},
		"reference to itself":        {property(`{"type":"object","$ref":"#"}`), "$ref"},
		"reference to a file":        {property(`{"type":"object","properties":{"a":{"$ref":"file:///etc/hostname"}}}`), "$ref"},
		"reference in a default":     {property(`{"type":"object","properties":{"default":{"$ref":"#"}}}`), "$ref"},
		"definition nested deep":     {property(`{"type":"object","properties":` + strings.Repeat(`{"a":{"properties":`, 40) + `{}` + strings.Repeat(`}}`, 40) + `}`), "nested deeper"},
		"definition is large":        {property(`{"type":"string","description":"` + strings.Repeat("x", 64<<10) + `"}`), "larger than"},
		"nested type is unknown":     {property(`{"type":"object","properties":{"a":{"type":"text"}}}`), "JSON Schema"},
		"relation title is a number": {document(`"relations":{"r":{"target":"x","title":1}}`), "relation"},
		"relation target is missing": {document(`"relations":{"r":{"title":"R"}}`), "target"},
		"relations are a list":       {document(`"relations":[]`), "object"},
		"mirror without path":        {document(`"mirrorProperties":{"m":{"title":"M"}}`), "path"},
		"mirror of no relation":      {document(`"mirrorProperties":{"m":{"path":"nope.p"}}`), "nope"},
		"calculation without jq":     {document(`"calculationProperties":{"c":{"type":"string"}}`), "calculation"},
		"calculation without type":   {document(`"calculationProperties":{"c":{"calculation":".x"}}`), "type"},
		"calculation of what":        {document(`"calculationProperties":{"c":{"calculation":".x","type":"integer"}}`), "integer"},
		"calculation with more":      {document(`"calculationProperties":{"c":{"calculation":".x","type":"string","enum":["a"]}}`), "enum"},
		"calculation's name":         {document(`"calculationProperties":{"c d":{"calculation":".x","type":"string"}}`), "c d"},
		"aggregation without title":  {document(`"aggregationProperties":{"a":{"target":"x","calculationSpec":{"func":"count","calculationBy":"entities"}}}`), "title"},
		"aggregation without target": {document(`"aggregationProperties":{"a":{"title":"A","calculationSpec":{"func":"count","calculationBy":"entities"}}}`), "target"},
		"aggregation without spec":   {document(`"aggregationProperties":{"a":{"title":"A","target":"x"}}`), "calculationSpec"},
		"aggregation of text":        {document(`"aggregationProperties":{"a":{"type":"string",` + count + `}}`), "number"},
		"aggregation's function":     {document(`"aggregationProperties":{"a":{"title":"A","target":"x","calculationSpec":{"func":"sum","calculationBy":"entities"}}}`), "sum"},
		"aggregation's property":     {document(`"aggregationProperties":{"a":{"title":"A","target":"x","calculationSpec":{"func":"sum","calculationBy":"property"}}}`), "property is required"},
		"aggregation averaged":       {document(`"aggregationProperties":{"a":{"title":"A","target":"x","calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"year"}}}`), "year"},
		"two path filters":           {document(`"aggregationProperties":{"a":{` + count + `,"pathFilter":[{"path":["r"]},{"path":["r"]}]}}`), "at most one"},
		"path filter without path":   {document(`"aggregationProperties":{"a":{` + count + `,"pathFilter":[{}]}}`), "path"},
		"query is text":              {document(`"aggregationProperties":{"a":{` + count + `,"query":"x"}}`), "query"},
		"ownership is text":          {document(`"ownership":"Direct"`), "ownership"},
		"ownership of what":          {document(`"ownership":{"type":"Shared"}`), "Shared"},
		"inherited without path":     {document(`"ownership":{"type":"Inherited"}`), "path"},
		"ownership title of 101":     {document(`"ownership":{"type":"Direct","title":"` + strings.Repeat("x", 101) + `"}`), "title"},
		"teamInheritance, no path":   {document(`"teamInheritance":{}`), "path"},
		"changelog of what":          {document(`"changelogDestination":{"type":"MAIL"}`), "MAIL"},
		"changelog without url":      {document(`"changelogDestination":{"type":"WEBHOOK"}`), "url"},
		"changelog to a file":        {document(`"changelogDestination":{"type":"WEBHOOK","url":"file:///etc/passwd"}`), "url"},
		"agent is text":              {document(`"changelogDestination":{"type":"WEBHOOK","url":"https://x.example","agent":"yes"}`), "agent"},
		"global search is text":      {document(`"includeInGlobalSearch":"true"`), "includeInGlobalSearch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.CreateBlueprint(t.Context(), json.RawMessage(c.doc), catalog.Writer{})
			wantFault(t, err, fault.Invalid, "invalid_request")
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("message %v, want %q in it", err, c.says)
			}
		})
	}
}

func TestDefinitionsThatAreTaken(t *testing.T) {
	b := newBench(t)
	for name, doc := range map[string]string{
		"a property named type":      `{"identifier":"x","title":"X","schema":{"properties":{"type":{"type":"string"},"properties":{"type":"object"},"required":{"type":"array"}},"required":["type"]}}`,
		"nested property named $ref": property(`{"type":"object","properties":{"$ref":{"type":"string"},"type":{"type":"integer"}}}`),
		"nested lists of types":      property(`{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":"null"}}}`),
		"calculation that is no jq":  document(`"calculationProperties":{"c":{"calculation":"test-rel.$identifier","type":"string"}}`),
		"mirror of what is not":      document(`"mirrorProperties":{"m":{"path":"r.nope"},"i":{"path":"r.$identifier"}}`),
		"kafka":                      document(`"changelogDestination":{"type":"KAFKA"}`),
		"inherited":                  document(`"ownership":{"type":"Inherited","path":"r.r","title":"Owned"}`),
		"default that does not fit":  property(`{"type":"string","format":"email","default":"nobody"}`),
		"look of a property":         property(`{"type":"string","enum":["a"],"enumColors":{"a":"paleBlue"},"colorized":true,"dateFormat":"x","unknown":{"kept":[1]}}`),
		"every format":               property(`{"type":"string","format":"of-tomorrow"}`),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{})
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Doc) != doc {
				t.Errorf("document\n%s\nwant\n%s", got.Doc, doc)
			}
			if err := b.DeleteBlueprint(t.Context(), "x", catalog.Writer{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTargetsMustBeThere(t *testing.T) {
	b := newBench(t)
	for name, doc := range map[string]string{
		"relation":    `{"identifier":"a","title":"A","schema":{"properties":{},"required":[]},"relations":{"r":{"target":"nope"}}}`,
		"aggregation": `{"identifier":"a","title":"A","schema":{"properties":{},"required":[]},"aggregationProperties":{"g":{"title":"G","target":"nope","calculationSpec":{"func":"count","calculationBy":"entities"}}}}`,
	} {
		_, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{})
		wantFault(t, err, fault.NotFound, "not_found")
		if err == nil || !strings.Contains(err.Error(), `"nope"`) {
			t.Errorf("%s: message %v does not name the blueprint", name, err)
		}
	}
}

func TestValuesAgainstFormatsAndKeywords(t *testing.T) {
	cases := []struct{ definition, fits, not string }{
		{`{"type":"string"}`, `"" "x"`, `1 true [] {}`},
		{`{"type":"number"}`, `1 -0.5 1e3 123456789012345678901234567890`, `"1" true`},
		{`{"type":"boolean"}`, `true false`, `"true" 0`},
		{`{"type":"array"}`, `[] [1,"a",null]`, `{} "a"`},
		{`{"type":"object"}`, `{} {"a":1}`, `[] "a"`},
		{`{"type":"string","format":"date-time"}`, `"2026-01-05T10:00:00Z" "2026-01-05T10:00:00.123456+02:00"`, `"2026-01-05" "yesterday" "2026-13-05T10:00:00Z"`},
		{`{"type":"string","format":"timer"}`, `"2026-01-05T10:00:00.000Z"`, `"soon"`},
		{`{"type":"string","format":"url"}`, `"https://x.example/a?b" "mailto:a@b.example"`, `"x.example" "/a" ""`},
		{`{"type":"string","format":"email"}`, `"ann@x.example"`, `"ann" "Ann<ann@x.example>"`},
		{`{"type":"string","format":"idn-email"}`, `"änn@bücher.example"`, `"änn"`},
		{`{"type":"string","format":"user"}`, `"ann@x.example"`, `"ann"`},
		{`{"type":"string","format":"ipv4"}`, `"10.0.0.1"`, `"10.0.0.256" "::1"`},
		{`{"type":"string","format":"ipv6"}`, `"::1" "2001:db8::8a2e:370:7334"`, `"10.0.0.1" "x"`},
		{`{"type":"string","format":"markdown"}`, `"# x"`, `1`},
		{`{"type":"string","format":"yaml"}`, `"a: [" `, `{}`},
		{`{"type":"string","format":"proto"}`, `"message"`, `1`},
		{`{"type":"string","format":"team"}`, `"core"`, `["core"]`},
		{`{"type":"array","items":{"type":"string","format":"blueprints"}}`, `["okta_user"] []`, `["a b"] [1]`},
		{`{"type":"object","format":"labeled-url"}`, `{"url":"https://x.example"} {"url":"https://x.example","displayText":"X"}`, `{} {"url":"x"} {"url":"https://x.example","displayText":1}`},
		{`{"type":"array","items":{"type":"object","format":"labeled-url"}}`, `[{"url":"https://x.example"}]`, `[{"displayText":"X"}]`},
		{`{"type":"string","enum":["a","b"]}`, `"a"`, `"c"`},
		{`{"type":"number","enum":[1,2]}`, `1 2.0`, `3`},
		{`{"type":"string","minLength":2,"maxLength":3}`, `"éé" "abc"`, `"a" "abcd"`},
		{`{"type":"string","pattern":"^a+$"}`, `"aaa"`, `"b"`},
		{`{"type":"number","minimum":1,"maximum":3}`, `1 3`, `0.9 3.1`},
		{`{"type":"number","exclusiveMinimum":1,"exclusiveMaximum":3}`, `1.1 2.9`, `1 3`},
		{`{"type":"array","minItems":1,"maxItems":2,"uniqueItems":true}`, `[1] [1,2]`, `[] [1,2,3] [1,1]`},
		{`{"type":"array","items":{"type":"integer"}}`, `[1,2]`, `[1.5] ["a"]`},
		{`{"type":"object","properties":{"type":{"type":["string","null"]}},"required":["type"],"additionalProperties":false}`, `{"type":"a"} {"type":null}`, `{} {"type":1} {"type":"a","b":1}`},
		{`{"type":"object","patternProperties":{"^n":{"type":"number"}}}`, `{"n1":1,"a":"x"}`, `{"n1":"x"}`},
	}
	b := newBench(t)
	for i, c := range cases {
		t.Run(fmt.Sprintf("%02d %s", i, c.definition), func(t *testing.T) {
			if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(property(c.definition)), catalog.Writer{}); err != nil {
				t.Fatal(err)
			}
			try := func(values string, fits bool) {
				d := json.NewDecoder(strings.NewReader(values))
				for d.More() {
					var value json.RawMessage
					if err := d.Decode(&value); err != nil {
						t.Fatal(err)
					}
					_, err := b.Write(t.Context(), call(t, "x", "e", `{"p":`+string(value)+`}`))
					if fits {
						if err != nil {
							t.Errorf("%s: %v", value, err)
						}
						continue
					}
					wantFault(t, err, fault.Invalid, "blueprint_schema_mismatch")
					if err != nil && !strings.Contains(err.Error(), `"p`) {
						t.Errorf("%s: message %q does not name the property", value, err)
					}
				}
			}
			try(c.fits, true)
			try(c.not, false)
			if _, err := b.DeleteAllEntities(t.Context(), "x", true, catalog.Writer{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMessagesNamePropertyRuleAndValue(t *testing.T) {
	b := newBench(t, property(`{"type":"object","properties":{"port":{"type":"integer","maximum":65535}}}`))
	_, err := b.Write(t.Context(), call(t, "x", "e", `{"p":{"port":70000}}`))
	wantFault(t, err, fault.Invalid, "blueprint_schema_mismatch")
	for _, want := range []string{`"p.port"`, `"maximum"`, "65535", "70000"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("message %v, want %s in it", err, want)
		}
	}
}

// What is hostile must be refused, or at least be done with soon.
func TestHostileDefinitionsAndValues(t *testing.T) {
	started := time.Now()
	b := newBench(t, property(`{"type":"string","pattern":"^(a+)+$"}`))
	_, err := b.Write(t.Context(), call(t, "x", "e", `{"p":"`+strings.Repeat("a", 500_000)+`!"}`))
	wantFault(t, err, fault.Invalid, "blueprint_schema_mismatch")
	_, err = b.Write(t.Context(), call(t, "x", "e", `{"p":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`))
	wantFault(t, err, fault.Invalid, "invalid_request")
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(strings.Replace(document(many.String()[1:]), `"x"`, `"wide"`, 1)), catalog.Writer{AllowPendingTargets: true}); err != nil {
		t.Errorf("100000 unknown members: %v", err)
	}
	var properties strings.Builder
	for i := range 2001 {
		fmt.Fprintf(&properties, `,"k%d":{"type":"string"}`, i)
	}
	_, err = b.CreateBlueprint(t.Context(), simple("many", "{"+properties.String()[1:]+"}", "{}"), catalog.Writer{})
	wantFault(t, err, fault.Invalid, "invalid_request")
	if took := time.Since(started); took > time.Minute {
		t.Errorf("took %v", took)
	}
}
