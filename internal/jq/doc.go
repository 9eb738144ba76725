// Package jq compiles and runs jq programs over JSON text: text in, text out.
//
// The words: a [Program] is one compiled expression, safe for concurrent use. An [Input] is the JSON text that many
// programs look at; it belongs to one goroutine and is decoded at most once, and only when a program needs that.
//
// The dialect is Port's, which is libjq behind a thin wrapper:
//
//   - A single quote opens a string after whitespace and closes one before whitespace: 'okta_user' is a constant.
//   - Only the first output counts.
//   - $ENV and env are {}; input, inputs, import and include do not compile.
//   - Numbers keep their text, and a plain path (.body.a."b c") keeps the whole text that it finds: key order, big
//     integers, escapes. What is computed comes out with sorted keys.
//   - Of equal keys the last wins. Regular expressions are RE2's: no look-around.
//
// The interpreter is gojq, which speaks jq 1.8, with libjq's answers where those differ without need (libjq.go). It is what a program means; the span look-up for plain paths in span.go
// and the checks in check.go are only its speed, and fuzz targets compare them.
//
// Everything is bounded: the length of an expression, the time of a run, the size and depth of what comes out. The
// clock is read between the interpreter's steps, so one step that is itself long (a regular expression over a long
// text, a sort) runs to its end; see [Options].
package jq
