package emulator

import "testing"

func FuzzParseExpression(f *testing.F) {
	for _, s := range []string{`status eq "ACTIVE"`, `(status eq "A" or id pr) and not lastUpdated gt "2026-01-01T00:00:00Z"`, `"`, `((((`, `a b c`, `status eq "\"`} {
		f.Add(s)
	}
	o := New(Options{})
	u := o.user(3)
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range []rules{userFilterRules, userSearchRules, groupSearchRules, logFilterRules} {
			e, err := parseExpression(s, r)
			if (e == nil) == (err == nil) && err == nil {
				t.Fatalf("%q is neither understood nor refused", s)
			}
			if err == nil {
				e(u.attribute)
			}
		}
	})
}

func FuzzCursors(f *testing.F) {
	f.Add("00u", "1_1")
	f.Add("~~", "ffffffff-ffff-ffff-ffff-ffffffffffff")
	o := New(Options{RateLimits: RateLimits{Buckets: map[string]int{bucketUsers: 1 << 40, bucketLogs: 1 << 40}}})
	f.Fuzz(func(t *testing.T, user, log string) {
		if i, ok := o.indexOf(kindUser, user, o.staff.count); ok && o.id(kindUser, i) != user {
			t.Fatalf("id %q leads to another's place", user)
		}
		if d, ok := readCursor(log, o.events.count); ok && d.k >= 0 && d.k < o.events.count {
			_ = o.between(logQuery{limit: 2, since: d.at, until: o.now * 1000}, d)
		}
	})
}
