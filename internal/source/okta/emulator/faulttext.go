package emulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// spreadUsual is the sigma of "lognormal:" when none is said.
const spreadUsual = 0.6

// faultWords describe what ParseFault understands, for messages.
const faultWords = "a status such as 503 (or 401:E0000015), html, a wait such as 3s, lognormal:300ms, per-item:2ms, stall:40s, " +
	"truncate, truncate-gzip, reset, drop, malformed, empty, nothing, duplicate, vanish, repeat, restart, foreign, expired-cursor, " +
	"concurrency, no-rate-headers, skew:-5m, expired-token, new-nonce; and when: every:N (or /N), at:N, per-mille:N, from:N, times:N, has:TEXT, after:2m, for:30s"

// ParseFault reads PREFIX=WORD,WORD,...: what trouble to make and when, such as
//
//	/api/v1/users=500/3                       every third request
//	/api/v1=429,from:20,times:15              a storm of 429s
//	/api/v1/users=401,at:40                   the token is refused once
//	/api/v1=lognormal:200ms,per-item:1ms      slow, and the slower the larger the page
//	/api/v1/groups=foreign:elsewhere.example  next links lead to another host
func ParseFault(line string) (Fault, error) {
	prefix, words, ok := strings.Cut(line, "=")
	if !ok || !strings.HasPrefix(prefix, "/") || words == "" {
		return Fault{}, fmt.Errorf("fault %q: want PATH-PREFIX=WORD,..., for example /api/v1/iam=403", line)
	}
	f := Fault{Prefix: prefix}
	for word := range strings.SplitSeq(words, ",") {
		if w, every, ok := strings.Cut(word, "/"); ok && !strings.HasPrefix(word, "has:") {
			if err := f.word("every:" + every); err != nil {
				return Fault{}, fmt.Errorf("fault %q: %w", line, err)
			}
			word = w
		}
		if err := f.word(word); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", line, err)
		}
	}
	if f.idle() {
		return Fault{}, fmt.Errorf("fault %q says when, but not what: want %s", line, faultWords)
	}
	return f, nil
}

func (f *Fault) word(word string) (err error) {
	for _, s := range f.switches() {
		if s.name == word {
			*s.on = true
			return nil
		}
	}
	name, value, _ := strings.Cut(word, ":")
	for _, c := range f.counts() {
		if c.name == name {
			if *c.n, err = strconv.Atoi(value); err != nil || *c.n < 1 {
				return fmt.Errorf("%q: %q is no count from 1 on", word, value)
			}
			return nil
		}
	}
	for _, d := range f.durations() {
		if d.name == name && name != "" {
			if *d.d, err = time.ParseDuration(value); err != nil || *d.d < 0 && name != "skew" {
				return fmt.Errorf("%q: %q is no duration such as 300ms or 2m", word, value)
			}
			return nil
		}
	}
	switch name {
	case "lognormal":
		median, sigma, more := strings.Cut(value, ":")
		f.Spread = spreadUsual
		if f.Latency, err = time.ParseDuration(median); err == nil && more {
			f.Spread, err = strconv.ParseFloat(sigma, 64)
		}
		if err != nil || f.Latency <= 0 || !(f.Spread > 0 && f.Spread <= 5) { // NaN is neither
			return fmt.Errorf("%q: want lognormal:MEDIAN or lognormal:MEDIAN:SIGMA, such as lognormal:300ms:0.6", word)
		}
		return nil
	case "foreign":
		if f.ForeignLink = value; value == "" {
			f.ForeignLink = foreignHost
		}
		return nil
	case "has":
		f.Contains = value
		return nil
	case "code":
		f.Code = value
		return nil
	case "html":
		f.BareBody = true
		return nil
	}
	if status, err := strconv.Atoi(name); err == nil && status >= 400 && status <= 599 {
		f.Status = status
		if value != "" {
			f.Code = value
		}
		return nil
	}
	if f.Latency, err = time.ParseDuration(word); err != nil || f.Latency < 0 {
		return fmt.Errorf("%q is no trouble known here: want %s", word, faultWords)
	}
	return nil
}

// foreignHost is where "foreign" leads when no host is named.
const foreignHost = "elsewhere.example"

// idle reports whether the fault does nothing.
func (f Fault) idle() bool {
	for _, s := range f.switches() {
		if *s.on {
			return false
		}
	}
	return f.Status == 0 && f.Latency == 0 && f.PerItem == 0 && f.Stall == 0 && f.Skew == 0 && f.ForeignLink == ""
}

type faultCount struct {
	name string
	n    *int
}

func (f *Fault) counts() []faultCount {
	return []faultCount{{"at", &f.Nth}, {"every", &f.Every}, {"per-mille", &f.PerMille}, {"from", &f.From}, {"times", &f.Times}}
}

type faultDuration struct {
	name string
	d    *time.Duration
}

func (f *Fault) durations() []faultDuration {
	return []faultDuration{{"per-item", &f.PerItem}, {"stall", &f.Stall}, {"skew", &f.Skew}, {"after", &f.After}, {"for", &f.For}}
}

// String is the line that ParseFault makes this fault of.
func (f Fault) String() string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch {
	case f.Status != 0 && f.Code != "":
		add("%d:%s", f.Status, f.Code)
	case f.Status != 0:
		add("%d", f.Status)
	case f.Code != "":
		add("code:%s", f.Code)
	}
	if f.BareBody {
		add("html")
	}
	switch {
	case f.Latency > 0 && f.Spread > 0:
		add("lognormal:%s:%s", f.Latency, strconv.FormatFloat(f.Spread, 'g', -1, 64))
	case f.Latency > 0:
		add("%s", f.Latency)
	}
	if f.ForeignLink != "" {
		add("foreign:%s", f.ForeignLink)
	}
	for _, s := range f.switches() {
		if *s.on {
			add("%s", s.name)
		}
	}
	for _, c := range f.counts() {
		if *c.n != 0 {
			add("%s:%d", c.name, *c.n)
		}
	}
	for _, d := range f.durations() {
		if *d.d != 0 {
			add("%s:%s", d.name, *d.d)
		}
	}
	if f.Contains != "" {
		add("has:%s", f.Contains)
	}
	prefix := f.Prefix
	if prefix == "" {
		prefix = "/"
	}
	return prefix + "=" + strings.Join(words, ",")
}
