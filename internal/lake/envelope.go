package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Names of the envelope's members, through Airbyte's generations, and of ours.
const (
	reservedPrefix    = "_airbyte_"
	dataMember        = "_airbyte_data"
	rawIDMember       = "_airbyte_raw_id"
	oldRawIDMember    = "_airbyte_ab_id" // up to 0.6
	extractedMember   = "_airbyte_extracted_at"
	oldExtracted      = "_airbyte_emitted_at" // up to 0.6
	generationMember  = "_airbyte_generation_id"
	eventMember       = "_longshore_event"
	eventHeaders      = "headers"
	eventQuery        = "queryParams"
	eventMemberQuoted = `"` + eventMember + `":`
)

// envelope takes lines apart. Its buffers are used again from line to line.
type envelope struct {
	flat    []byte   // a record put together from root-flattened members
	members []member // of the line at hand that are not Airbyte's
}

// open fills the line's fields from its text, or says what is wrong with it.
func (e *envelope) open(text []byte, line *Line) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("invalid UTF-8 at byte %d", invalidUTF8At(text))
	}
	start := skipSpace(text, 0)
	if text[start] != '{' {
		if _, _, err := scanWhole(text); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		return fmt.Errorf("a record must be an object, found %s", kindOf(text[start]))
	}
	var data, event, rawID, extracted, generation []byte
	enveloped := false
	e.members = e.members[:0]
	end, err := scanObject(text, start, 0, func(m member) error {
		key := text[m.keyStart+1 : m.keyEnd-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = unquote(text[m.keyStart:m.keyEnd])
		}
		value := text[m.valueStart:m.valueEnd]
		if !bytes.HasPrefix(key, []byte(reservedPrefix)) {
			if string(key) == eventMember {
				event = value
			}
			e.members = append(e.members, m)
			return nil
		}
		enveloped = true
		switch string(key) {
		case dataMember:
			data = value
		case rawIDMember, oldRawIDMember:
			rawID = value
		case extractedMember, oldExtracted:
			extracted = value
		case generationMember:
			generation = value
		}
		return nil
	})
	if err == nil {
		if i := skipSpace(text, end); i < len(text) {
			err = badSyntax(text, i, "the end of the line")
		}
	}
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	switch {
	case data != nil:
		err = e.openData(data, event, line)
	case enveloped:
		line.Body = e.flatten(text)
	default:
		line.Body = text[start:end]
	}
	if err != nil {
		return err
	}
	if line.ExtractedAt, err = instant(extracted); err != nil {
		return fmt.Errorf("%s: %w", extractedMember, err)
	}
	if line.Generation, err = integer(generation); err != nil {
		return fmt.Errorf("%s: %w", generationMember, err)
	}
	line.RawID = rawIDText(rawID)
	return nil
}

// openData takes the payload and, for a webhook call, what came with it.
func (e *envelope) openData(data, event []byte, line *Line) error {
	if event != nil {
		line.Body = data
		return openEvent(event, line)
	}
	if data[0] == '"' { // some writers put the record in as JSON text
		data = unquote(data)
		if !utf8.Valid(data) {
			return fmt.Errorf("%s: invalid UTF-8 at byte %d of its text", dataMember, invalidUTF8At(data))
		}
		start, end, err := scanWhole(data)
		if err != nil {
			return fmt.Errorf("%s is a string that is not JSON: %w", dataMember, err)
		}
		data = data[start:end]
	}
	if data[0] != '{' {
		return fmt.Errorf("%s must be an object, found %s", dataMember, kindOf(data[0]))
	}
	line.Body = data
	return nil
}

func openEvent(event []byte, line *Line) error {
	if event[0] != '{' {
		return fmt.Errorf("%s must be an object, found %s", eventMember, kindOf(event[0]))
	}
	line.Headers, line.Query = []byte("{}"), []byte("{}")
	_, err := scanObject(event, 0, 0, func(m member) error {
		var part *[]byte
		switch string(event[m.keyStart+1 : m.keyEnd-1]) {
		case eventHeaders:
			part = &line.Headers
		case eventQuery:
			part = &line.Query
		default:
			return nil
		}
		value := event[m.valueStart:m.valueEnd]
		if value[0] != '{' {
			return fmt.Errorf("%s.%s must be an object, found %s", eventMember, event[m.keyStart+1:m.keyEnd-1], kindOf(value[0]))
		}
		*part = value
		return nil
	})
	return err
}

// flatten puts the members that are not Airbyte's together again, as they were written.
func (e *envelope) flatten(text []byte) []byte {
	e.flat = append(e.flat[:0], '{')
	for i, m := range e.members {
		if i > 0 {
			e.flat = append(e.flat, ',')
		}
		e.flat = append(e.flat, text[m.keyStart:m.keyEnd]...)
		e.flat = append(e.flat, ':')
		e.flat = append(e.flat, text[m.valueStart:m.valueEnd]...)
	}
	e.flat = append(e.flat, '}')
	return e.flat
}

// unquote decodes a JSON string whose syntax is checked.
func unquote(quoted []byte) []byte {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		panic("lake: a scanned string does not decode: " + err.Error())
	}
	return []byte(s)
}

func invalidUTF8At(text []byte) int {
	at := 0
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

func rawIDText(value []byte) string {
	switch {
	case value == nil || value[0] == 'n':
		return ""
	case value[0] != '"':
		return string(value)
	case bytes.IndexByte(value, '\\') >= 0:
		return string(unquote(value))
	}
	return string(value[1 : len(value)-1])
}

// integer reads a whole number or its text; null and absent are 0.
func integer(value []byte) (int64, error) {
	if value == nil || value[0] == 'n' {
		return 0, nil
	}
	text := value
	if value[0] == '"' {
		text = bytes.TrimSpace(unquote(value))
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	// 2^53 bounds what a float says exactly.
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, fmt.Errorf("want a whole number, found %s", excerpt(value))
	}
	return int64(f), nil
}

// timeLayouts are the spellings of an instant met in the field; without a zone they mean UTC. A fraction of the
// seconds is accepted by time.Parse whether or not the layout has one.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05", "2006-01-02 15:04:05 UTC", "2006-01-02",
}

// instant reads Unix milliseconds, their text, or an ISO time.
func instant(value []byte) (int64, error) {
	n, err := integer(value)
	if err == nil || value[0] != '"' {
		return n, err
	}
	text := string(bytes.TrimSpace(unquote(value)))
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("want milliseconds or an ISO time, found %s", excerpt(value))
}
