package s3

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

//go:embed spec.json
var spec []byte

// Spec is the JSON schema of the settings: Airbyte's names, titles, order and secrets, as far as JSON Lines goes.
func Spec() json.RawMessage { return bytes.Clone(spec) }

// Settings are the configuration of an S3 destination, in Airbyte's form, read and checked. A text of Airbyte's that is
// blank is as good as absent.
type Settings struct {
	Bucket    string
	Region    string // "" means none is set
	Endpoint  string // "" means AWS
	AccessKey string // "" means the role, or the machine's credentials
	SecretKey string
	RoleARN   string
	Layout    lake.Layout
	Format    Format
}

// Format is how objects are written. The zero value is gzip without flattening.
type Format struct {
	Plain   bool // no compression
	Flatten bool // records at the top level of their lines
}

// Extension is what the names of such objects end in.
func (f Format) Extension() string {
	if f.Plain {
		return lake.PlainExtension
	}
	return lake.Extension
}

// wireSettings is the configuration as it comes. A nil pointer is an absent member.
type wireSettings struct {
	AccessKey   *string         `json:"access_key_id"`
	SecretKey   *string         `json:"secret_access_key"`
	RoleARN     *string         `json:"role_arn"`
	Bucket      *string         `json:"s3_bucket_name"`
	Path        *string         `json:"s3_bucket_path"`
	Region      *string         `json:"s3_bucket_region"`
	Endpoint    *string         `json:"s3_endpoint"`
	PathFormat  *string         `json:"s3_path_format"`
	FilePattern *string         `json:"file_name_pattern"`
	KeyVersion  *string         `json:"key_version"`
	Format      json.RawMessage `json:"format"`
}

// ParseSettings reads and checks a configuration. What is wrong with it is fault.Invalid, and no error repeats a secret.
func ParseSettings(config json.RawMessage) (Settings, error) {
	var w wireSettings
	if err := decode("", config, &w); err != nil {
		return Settings{}, err
	}
	for _, m := range []struct {
		name  string
		value *string
		blank bool
	}{{"s3_bucket_name", w.Bucket, false}, {"s3_bucket_path", w.Path, true}, {"s3_bucket_region", w.Region, true}} {
		if m.value == nil || !m.blank && strings.TrimSpace(*m.value) == "" {
			return Settings{}, fault.Errorf(fault.Invalid, "the configuration has no %s", m.name)
		}
	}
	s := Settings{
		Bucket: text(w.Bucket), Region: text(w.Region), Endpoint: text(w.Endpoint),
		AccessKey: text(w.AccessKey), SecretKey: text(w.SecretKey), RoleARN: text(w.RoleARN),
		Layout: lake.Layout{BucketPath: *w.Path, PathFormat: verbatim(w.PathFormat), FilePattern: verbatim(w.FilePattern)},
	}
	switch version := text(w.KeyVersion); version {
	case "", "1.5":
	case "1.4":
		s.Layout.Old = true
	default:
		return s, fault.Errorf(fault.Invalid, "key_version %q: want 1.5 or 1.4", version)
	}
	if err := s.check(); err != nil {
		return s, err
	}
	var err error
	s.Format, err = parseFormat(w.Format)
	return s, err
}

func text(value *string) string { return strings.TrimSpace(verbatim(value)) }

func verbatim(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

func (s Settings) check() error {
	if (s.AccessKey == "") != (s.SecretKey == "") {
		return fault.Errorf(fault.Invalid, "access_key_id and secret_access_key must both be set, or neither")
	}
	if s.Endpoint != "" && !strings.HasPrefix(s.Endpoint, "http://") && !strings.HasPrefix(s.Endpoint, "https://") {
		return fault.Errorf(fault.Invalid, "s3_endpoint %q is no URL", s.Endpoint).WithHint("Write it with its scheme, as in https://%s.", s.Endpoint)
	}
	if strings.Trim(s.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fault.Errorf(fault.Invalid, "s3_bucket_region %q is no region: want one such as eu-west-1", s.Region)
	}
	return s.Layout.Check()
}

func parseFormat(raw json.RawMessage) (Format, error) {
	var f struct {
		Type        string          `json:"format_type"`
		Flattening  *string         `json:"flattening"`
		Compression json.RawMessage `json:"compression"`
	}
	if len(raw) == 0 || string(raw) == "null" {
		return Format{}, fault.Errorf(fault.Invalid, "the configuration has no format").WithHint(`Set format to {"format_type":"JSONL"}.`)
	}
	if err := decode("format.", raw, &f); err != nil {
		return Format{}, err
	}
	switch f.Type {
	case "JSONL":
	case "CSV", "Avro", "Parquet":
		return Format{}, fault.Errorf(fault.Invalid, "format %s is not supported yet", f.Type).
			WithHint("JSONL is: set format to {\"format_type\":\"JSONL\"}.")
	default:
		return Format{}, fault.Errorf(fault.Invalid, "format_type %q: want JSONL", f.Type)
	}
	var format Format
	switch flattening := text(f.Flattening); flattening {
	case "", "No flattening":
	case "Root level flattening":
		format.Flatten = true
	default:
		return format, fault.Errorf(fault.Invalid, "format.flattening %q: want %q or %q", flattening, "No flattening", "Root level flattening")
	}
	switch {
	case len(f.Compression) == 0: // left out
		return format, nil
	case string(f.Compression) == "null": // said to be none
		format.Plain = true
		return format, nil
	}
	var c struct {
		Type *string `json:"compression_type"`
	}
	if err := decode("format.compression.", f.Compression, &c); err != nil {
		return format, err
	}
	switch kind := text(c.Type); kind {
	case "", "GZIP":
	case "No Compression":
		format.Plain = true
	default:
		return format, fault.Errorf(fault.Invalid, "format.compression.compression_type %q: want %q or %q", kind, "GZIP", "No Compression")
	}
	return format, nil
}

// decode reads an object, and says which member is of the wrong kind.
func decode(in string, raw json.RawMessage, to any) error {
	err := json.Unmarshal(raw, to)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil && len(bytes.TrimSpace(raw)) > 0 && bytes.TrimSpace(raw)[0] == '{':
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fault.Errorf(fault.Invalid, "the configuration's %s is a %s: want a %s", in+wrong.Field, wrong.Value, kindName(wrong.Type))
	case in != "":
		return fault.Errorf(fault.Invalid, "the configuration's %s is no JSON object", strings.TrimSuffix(in, "."))
	}
	return fault.Errorf(fault.Invalid, "the configuration is no JSON object")
}

// kindName is what JSON calls the values of a type.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Pointer:
		return kindName(t.Elem())
	default:
		return t.Kind().String()
	}
}
