package s3

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// guideConfig is what Terraform's provider 0.6.5 sends for the destination of the Port guide.
const guideConfig = `{"access_key_id":"AKIA1","secret_access_key":"s3cr3t","s3_bucket_name":"org-xxx","s3_bucket_path":"data/","s3_bucket_region":"eu-west-1","s3_endpoint":"",
"s3_path_format":"${NAMESPACE}/${STREAM_NAME}/year=${YEAR}/month=${MONTH}/${DAY}_${EPOCH}_",
"format":{"compression":{"compression_type":"GZIP"},"flattening":"No flattening","format_type":"JSONL"}}`

func TestGuidesSettings(t *testing.T) {
	got, err := ParseSettings(json.RawMessage(guideConfig))
	want := Settings{
		Bucket: "org-xxx", Region: "eu-west-1", AccessKey: "AKIA1", SecretKey: "s3cr3t", Layout: lake.GuideLayout(),
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// changed is a valid configuration with some members set to JSON values, or removed ("").
func changed(t *testing.T, members map[string]string) json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(`{"s3_bucket_name":"b","s3_bucket_path":"","s3_bucket_region":"","format":{"format_type":"JSONL"}}`), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		all[name] = json.RawMessage(value)
		if value == "" {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The specification and the parser agree on what is a configuration.
func TestSettingsAndSpecificationAgree(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(Spec())))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("spec.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("spec.json")
	if err != nil {
		t.Fatal(err)
	}
	plain, flat := Format{Plain: true}, Format{Flatten: true}
	for _, c := range []struct {
		members map[string]string
		want    Settings // with a bucket; the zero value is a refusal
		saying  string
	}{
		{nil, Settings{Bucket: "b"}, ""},
		{map[string]string{"unknown": "[1]"}, Settings{Bucket: "b"}, ""},
		{map[string]string{"role_arn": `""`, "s3_endpoint": `" "`, "s3_path_format": `""`, "file_name_pattern": `""`}, Settings{Bucket: "b"}, ""},
		{map[string]string{"s3_endpoint": `"http://localhost:9000"`, "role_arn": `"arn:aws:iam::1:role/x"`}, Settings{Bucket: "b", Endpoint: "http://localhost:9000", RoleARN: "arn:aws:iam::1:role/x"}, ""},
		{map[string]string{"s3_bucket_path": `"/data"`, "s3_path_format": `"a$${EPOCH}"`, "key_version": `"1.4"`}, Settings{Bucket: "b", Layout: lake.Layout{BucketPath: "/data", PathFormat: "a$${EPOCH}", Old: true}}, ""},
		{map[string]string{"format": `{"format_type":"JSONL","compression":null}`}, Settings{Bucket: "b", Format: plain}, ""},
		{map[string]string{"format": `{"format_type":"JSONL","compression":{}}`}, Settings{Bucket: "b"}, ""},
		{map[string]string{"format": `{"format_type":"JSONL","part_size_mb":5,"compression":{"compression_type":"No Compression"}}`}, Settings{Bucket: "b", Format: plain}, ""},
		{map[string]string{"format": `{"format_type":"JSONL","flattening":"Root level flattening"}`}, Settings{Bucket: "b", Format: flat}, ""},
		{map[string]string{"s3_bucket_name": ""}, Settings{}, "no s3_bucket_name"},
		{map[string]string{"s3_bucket_path": ""}, Settings{}, "no s3_bucket_path"},
		{map[string]string{"s3_bucket_region": ""}, Settings{}, "no s3_bucket_region"},
		{map[string]string{"s3_bucket_region": `"EU west"`}, Settings{}, `"EU west" is no region`},
		{map[string]string{"s3_bucket_name": "5"}, Settings{}, "s3_bucket_name is a number: want a string"},
		{map[string]string{"format": ""}, Settings{}, "no format"},
		{map[string]string{"format": `"JSONL"`}, Settings{}, "format is no JSON object"},
		{map[string]string{"format": `{}`}, Settings{}, `format_type ""`},
		{map[string]string{"format": `{"format_type":"CSV","flattening":"No flattening"}`}, Settings{}, "CSV is not supported yet"},
		{map[string]string{"format": `{"format_type":"Avro"}`}, Settings{}, "Avro is not supported yet"},
		{map[string]string{"format": `{"format_type":"Parquet"}`}, Settings{}, "Parquet is not supported yet"},
		{map[string]string{"format": `{"format_type":"jsonl"}`}, Settings{}, `"jsonl"`},
		{map[string]string{"format": `{"format_type":"JSONL","flattening":"no flattening"}`}, Settings{}, `"no flattening"`},
		{map[string]string{"format": `{"format_type":"JSONL","compression":{"compression_type":"gzip"}}`}, Settings{}, `"gzip"`},
		{map[string]string{"key_version": `"2"`}, Settings{}, `key_version "2"`},
	} {
		config := changed(t, c.members)
		got, err := ParseSettings(config)
		instance, jsonErr := jsonschema.UnmarshalJSON(strings.NewReader(string(config)))
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		fits := schema.Validate(instance) == nil
		switch refused := c.want.Bucket == ""; {
		case refused && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.saying)):
			t.Errorf("%s: %v, want invalid and %q", config, err, c.saying)
		case !refused && (err != nil || got != c.want):
			t.Errorf("%s: %+v, %v; want %+v", config, got, err, c.want)
		case fits == refused:
			t.Errorf("%s: the specification takes it: %t, the parser: %t", config, fits, !refused)
		}
	}
}

// What only makes no sense together is refused beyond the specification, and no secret is repeated.
func TestSettingsThatMakeNoSenseTogether(t *testing.T) {
	for _, c := range []map[string]string{
		{"access_key_id": `"s3cr3t"`},
		{"secret_access_key": `"s3cr3t"`},
		{"secret_access_key": `["s3cr3t"]`},
		{"s3_endpoint": `"localhost:9000"`},
		{"file_name_pattern": `"{date:yyyy}"`},
		{"s3_bucket_name": `" "`},
	} {
		if _, err := ParseSettings(changed(t, c)); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v: %v, want invalid without the secret", c, err)
		}
	}
}

func TestSpecificationIsAirbytes(t *testing.T) {
	var s struct {
		Required   []string `json:"required"`
		Properties map[string]struct {
			Title  string `json:"title"`
			Order  int    `json:"order"`
			Secret bool   `json:"airbyte_secret"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(Spec(), &s); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, p := range s.Properties {
		if name != "key_version" { // ours
			got[name] = strings.Repeat("*", map[bool]int{true: 1}[p.Secret]) + p.Title + " " + string(rune('0'+p.Order))
		}
	}
	want := map[string]string{
		"access_key_id": "*S3 Key ID 0", "secret_access_key": "*S3 Access Key 1", "role_arn": "Role ARN 2", "s3_bucket_name": "S3 Bucket Name 3",
		"s3_bucket_path": "S3 Bucket Path 4", "s3_bucket_region": "S3 Bucket Region 5", "format": "Output Format 6", "s3_endpoint": "S3 Endpoint 7",
		"s3_path_format": "S3 Path Format 8", "file_name_pattern": "File Name Pattern 9",
	}
	if !maps.Equal(got, want) || strings.Join(s.Required, " ") != "s3_bucket_name s3_bucket_path s3_bucket_region format" {
		t.Errorf("the specification has %v, requires %v; want %v", got, s.Required, want)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte(guideConfig))
	f.Add([]byte(`{"s3_bucket_name":"b","s3_bucket_path":"","s3_bucket_region":"","format":{"format_type":"JSONL","compression":null}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		s, err := ParseSettings(config)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v, want invalid", config, err)
			}
			return
		}
		d := Destination{Layout: s.Layout, Format: s.Format}
		if key := d.Key(part(0)); key == "" {
			t.Errorf("%s gives an object no name", config)
		}
	})
}
