package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// kinds tells the columns of rows to be written, a letter each: i for an integer, t for a text, b for bytes. Any may be null.
type kinds string

// How many rows one statement writes: as tuples of placeholders, and as an array a column.
const (
	chunkRows  = 32
	arrayRows  = 2000
	arrayBytes = 4 << 20
)

// rowsIn is how many of the rows in args go into the next statement.
func (t *catalogTx) rowsIn(columns kinds, args []any) int {
	width := len(columns)
	if !t.engine.arrays {
		return min(len(args)/width, chunkRows)
	}
	size := 0
	for i, a := range args[:min(len(args), arrayRows*width)] {
		if s, ok := a.(string); ok {
			size += len(s)
		}
		if size > arrayBytes && i >= width {
			return i / width
		}
	}
	return min(len(args)/width, arrayRows)
}

// rows puts rows in place of "VALUES %s" of an insert, and returns its arguments.
func (t *catalogTx) rows(query string, columns kinds, args []any) (string, []any, error) {
	if !t.engine.arrays {
		return fmt.Sprintf(query, tuples(len(args)/len(columns), len(columns))), args, nil
	}
	var from strings.Builder
	arrays := make([]any, len(columns))
	for c := range columns {
		var err error
		var name string
		switch columns[c] {
		case 'i':
			name = "bigint"
			arrays[c], err = integers(args, c, len(columns))
		case 't':
			name = "text"
			arrays[c], err = texts(args, c, len(columns))
		case 'b':
			name = "bytea"
			arrays[c], err = blobs(args, c, len(columns))
		}
		if err != nil {
			return "", nil, err
		}
		if c > 0 {
			from.WriteString(", ")
		}
		from.WriteString("$" + strconv.Itoa(c+1) + "::" + name + "[]")
	}
	return strings.Replace(query, "VALUES %s", "SELECT * FROM unnest("+from.String()+")", 1), arrays, nil
}

// integers gathers a column, as plain numbers where none is null: those the driver writes without looking at each one's type.
func integers(args []any, column, width int) (any, error) {
	out := make([]int64, 0, len(args)/width)
	var some []*int64 // once there is a null
	for i := column; i < len(args); i += width {
		var n int64
		switch v := args[i].(type) {
		case nil:
			some = pointers(some, out, cap(out))
			some = append(some, nil)
			continue
		case int64:
			n = v
		case int:
			n = int64(v)
		default:
			return nil, fmt.Errorf("column %d takes integers, not a %T", column, v)
		}
		if some != nil {
			some = append(some, &n)
		} else {
			out = append(out, n)
		}
	}
	if some != nil {
		return some, nil
	}
	return out, nil
}

// texts is integers of texts.
func texts(args []any, column, width int) (any, error) {
	out := make([]string, 0, len(args)/width)
	var some []*string
	for i := column; i < len(args); i += width {
		switch v := args[i].(type) {
		case nil:
			some = pointers(some, out, cap(out))
			some = append(some, nil)
		case string:
			if some != nil {
				some = append(some, &v)
			} else {
				out = append(out, v)
			}
		default:
			return nil, fmt.Errorf("column %d takes texts, not a %T", column, v)
		}
	}
	if some != nil {
		return some, nil
	}
	return out, nil
}

// pointers is the list of pointers to values, unless there is one already.
func pointers[T any](already []*T, values []T, size int) []*T {
	if already != nil {
		return already
	}
	out := make([]*T, len(values), size)
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

func blobs(args []any, column, width int) ([][]byte, error) {
	out := make([][]byte, 0, len(args)/width)
	for i := column; i < len(args); i += width {
		switch v := args[i].(type) {
		case nil:
			out = append(out, nil)
		case []byte:
			out = append(out, v)
		default:
			return nil, fmt.Errorf("column %d takes bytes, not a %T", column, v)
		}
	}
	return out, nil
}

// inRows runs an insert of these columns for all rows in args, some at a time. query has "VALUES %s" for them.
func (t *catalogTx) inRows(ctx context.Context, query string, columns kinds, args []any) error {
	return t.eachOfRows(ctx, query, columns, args, nil)
}

// eachOfRows is inRows of a statement that returns rows.
func (t *catalogTx) eachOfRows(ctx context.Context, query string, columns kinds, args []any, scan func(*sql.Rows) error) error {
	for len(args) > 0 {
		n := t.rowsIn(columns, args) * len(columns)
		statement, values, err := t.rows(query, columns, args[:n])
		if err != nil {
			return fmt.Errorf("run %q: %w", short(query), err)
		}
		if scan == nil {
			_, err = t.exec(ctx, statement, values...)
		} else {
			err = t.each(ctx, statement, values, scan)
		}
		if err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

// tuples writes n groups of width placeholders: ($1,$2),($3,$4).
func tuples(n, width int) string {
	var b strings.Builder
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%width == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
