package fault

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// jsonError is an error of encoding/json in the words of whoever wrote the JSON: the package's own name our types.
type jsonError struct {
	text  string
	cause error
}

func (e *jsonError) Error() string { return e.text }

func (e *jsonError) Unwrap() error { return e.cause }

// inWords is err, or the same as a jsonError.
func inWords(err error) error {
	switch e := err.(type) { //nolint:errorlint // a wrapped one has been written into the text of what wraps it
	case *json.UnmarshalTypeError:
		text := "want " + kindOf(e.Type) + ", got " + valueOf(e.Value)
		if e.Field != "" {
			text = e.Field + ": " + text
		}
		return &jsonError{text, err}
	case *json.SyntaxError:
		return &jsonError{fmt.Sprintf("%v at byte %d", e, e.Offset), err}
	}
	return err
}

// kindOf names what JSON a type is read from.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Slice { // of JSON as it was written
			return "a list"
		}
		return "a list, each " + kindOf(t.Elem())
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	}
	return "another value"
}

// valueOf is what encoding/json says it found: a kind, or a number's text.
func valueOf(value string) string {
	if number, ok := strings.CutPrefix(value, "number "); ok {
		return number
	}
	switch value {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	return "a " + value
}
