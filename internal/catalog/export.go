package catalog

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
)

// Export writes every entity as one line of JSON, ordered by blueprint and identifier, and returns the SHA-256 of what
// it wrote and how many there were. Lines hold identifier, title, blueprint, team, properties and relations in canonical
// form, and nothing that depends on when or how often the entity was written: equal catalogs give equal bytes.
func (c *Catalog) Export(ctx context.Context, w io.Writer) (hash string, n int64, err error) {
	const chunk = 500 // entities held at a time
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		var line []byte
		for _, blueprint := range m.order {
			err := v.Each(ctx, blueprint, chunk, func(list []Entity) error {
				if err := c.addInverses(ctx, v, m, list); err != nil {
					return err
				}
				for _, e := range list {
					n++
					line = exportLine(line[:0], e)
					if _, err := out.Write(line); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = out.Flush()
	}
	return hex.EncodeToString(sum.Sum(nil)), n, err
}

func exportLine(dst []byte, e Entity) []byte {
	dst = appendText(append(dst, `{"identifier":`...), e.Identifier)
	dst = append(dst, `,"title":`...)
	if e.Title == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendText(dst, e.Title)
	}
	dst = appendText(append(dst, `,"blueprint":`...), e.Blueprint)
	dst = append(append(dst, `,"team":`...), orNull(e.Team)...)
	dst = append(append(dst, `,"properties":`...), orObject(e.Properties)...)
	dst = append(append(dst, `,"relations":`...), orObject(e.Relations)...)
	return append(dst, '}', '\n')
}

func orObject(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}
