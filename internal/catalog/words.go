package catalog

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of global search.
const (
	maxWords       = 256  // of one entity
	maxWordRunes   = 40   // a longer word is cut
	maxWordedBytes = 4096 // of one value; what follows is not found
	maxNeedles     = 8    // words of one search
	maxCandidates  = 500  // entities that are ranked
)

// Words cuts a text into words: letters and digits in a row, in small letters, each once.
func Words(text string) []string { return appendWords(nil, text) }

func appendWords(words []string, text string) []string {
	if len(text) > maxWordedBytes {
		text = text[:maxWordedBytes]
	}
	start := -1
	flush := func(end int) {
		if start < 0 {
			return
		}
		word := strings.ToLower(text[start:end])
		start = -1
		if utf8.RuneCountInString(word) > maxWordRunes {
			word = string([]rune(word)[:maxWordRunes])
		}
		if len(words) < maxWords && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	for i, r := range text {
		if (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)) && r != utf8.RuneError {
			if start < 0 {
				start = i
			}
			continue
		}
		flush(i)
	}
	flush(len(text))
	return words
}

// WordsOf are the words that an entity is found by in global search: of its identifier, its title and the strings in its
// properties, date-times and URLs left out.
func WordsOf(e Entity) []string {
	words := appendWords(appendWords(nil, e.Identifier), e.Title)
	var take func(value []byte)
	take = func(value []byte) {
		switch {
		case len(words) >= maxWords || len(value) < 2:
		case value[0] == '"':
			text := unquote(value)
			if _, time := Instant(text); !time && !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
				words = appendWords(words, text)
			}
		case value[0] == '[':
			elements(value, take)
		case value[0] == '{':
			members(value, func(_ string, v []byte) { take(v) })
		}
	}
	take(e.Properties)
	return words
}

// InGlobalSearch says whether a blueprint's entities are found by global search: unless its document says otherwise, those
// whose history is kept.
func InGlobalSearch(doc json.RawMessage) bool {
	var d struct {
		Include *bool `json:"includeInGlobalSearch"`
		History *bool `json:"history"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return false
	}
	if d.Include != nil {
		return *d.Include
	}
	return d.History == nil || *d.History
}

// LivesApart says whether a blueprint's entities are kept apart from the others: those without history.
func LivesApart(doc json.RawMessage) bool {
	var d struct {
		History *bool `json:"history"`
	}
	return json.Unmarshal(doc, &d) == nil && d.History != nil && !*d.History
}

// FindWords is global search: the entities that have every word of the text but the last, and one that begins like the last;
// where there are none, those that have words which begin like each. The best come first, at most limit (0 means 20, at most
// 100): those with the identifier itself before those with it in their identifier or title, of the first 500 that are found.
// Of a beginning that very many words share, the first of them in the order of the alphabet are looked for, where they are
// enough for a page. What was written in the last moments may not be found yet.
func (c *Catalog) FindWords(ctx context.Context, text string, limit int) ([]Entity, error) {
	return c.FindWordsAmong(ctx, text, limit, func(*Entity) bool { return true })
}

// FindWordsAmong is FindWords among the entities that seen accepts.
func (c *Catalog) FindWordsAmong(ctx context.Context, text string, limit int, seen func(*Entity) bool) ([]Entity, error) {
	const few, most = 20, 100
	if limit <= 0 {
		limit = few
	}
	words := Words(text)
	if len(words) == 0 {
		return nil, nil
	}
	var list []Entity
	err := c.store.InView(ctx, func(v View) (err error) {
		list, err = v.FindWords(ctx, words[:min(len(words), maxNeedles)], text, maxCandidates)
		return err
	})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e Entity) bool { return !seen(&e) })
	folded := strings.ToLower(strings.TrimSpace(text))
	rank := func(e Entity) int {
		id, title := strings.ToLower(e.Identifier), strings.ToLower(e.Title)
		switch {
		case id == folded:
			return 0
		case title == folded:
			return 1
		case strings.HasPrefix(id, folded), strings.HasPrefix(title, folded):
			return 2
		case strings.Contains(id, folded), strings.Contains(title, folded):
			return 3
		}
		return 4
	}
	slices.SortStableFunc(list, func(a, b Entity) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		return strings.Compare(titleOf(&a)+"\x00"+a.Blueprint+"\x00"+a.Identifier, titleOf(&b)+"\x00"+b.Blueprint+"\x00"+b.Identifier)
	})
	return list[:min(len(list), limit, most)], nil
}
