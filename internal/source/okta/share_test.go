package okta

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoseCeilingALimitIs(t *testing.T) {
	for _, c := range []struct {
		name    string
		setting float64
		told    string
		granted float64
		limits  map[string]int
		foreign bool
		want    float64 // of the limit shown of users
	}{
		{"nothing is known", 0.5, "", 0, map[string]int{"users": 600}, false, 0.5},
		{"an org's limit", 0.5, "", 0.5, map[string]int{"users": 600}, false, 0.5},
		{"half an org's limit", 0.5, "", 0.5, map[string]int{"users": 300}, false, 1},
		{"half, and we want a quarter of the org's", 0.25, "", 0.5, map[string]int{"users": 300}, false, 0.5},
		{"half, but the grant is not told", 0.5, "", 0, map[string]int{"users": 300}, false, 0.5},
		{"a limit that nobody has published", 0.5, "", 0.5, map[string]int{"users": 450}, false, 0.5},
		{"another bucket shows the org's", 0.5, "", 0.5, map[string]int{"users": 300, "groups": 500}, false, 0.5},
		{"others count against it", 0.5, "", 0.5, map[string]int{"users": 300}, true, 0.5},
		{"less is granted than wanted", 0.5, "", 0.3, map[string]int{"users": 600}, false, 0.3},
		{"all is granted", 0.5, "", 1, map[string]int{"users": 300}, false, 0.5},
		{"told: the client's", 0.5, LimitOfClient, 0, map[string]int{"users": 450}, false, 1},
		{"told: the org's", 0.5, LimitOfOrg, 0.5, map[string]int{"users": 300}, false, 0.5},
		{"all is wanted, of the client's limit", 1, "", 0.5, map[string]int{"users": 450}, false, 1},
		{"all is wanted, but it is the org's limit", 1, "", 0.5, map[string]int{"users": 600}, false, 0.5},
	} {
		s := newShare(c.setting, c.told)
		s.granted, s.foreign = c.granted, c.foreign
		for name, limit := range c.limits {
			s.saw(name, limit)
		}
		if got := s.of("users", c.limits["users"]); got != c.want {
			t.Errorf("%s: %v of the limit is ours, want %v", c.name, got, c.want)
		}
	}
}

func TestOurShareIsAskedForOnceAndOnlyWhenItMatters(t *testing.T) {
	for _, status := range []int{200, 403} {
		for groups, want := range map[int]int{30: 0, 200: 1} {
			synctest.Test(t, func(t *testing.T) {
				org := &testOrg{clamp: 1}
				for i := range groups {
					org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
				}
				l := &limiter{limit: 250, ceiling: 250} // half of an org's 500
				org.fault = func(w http.ResponseWriter, r *http.Request) bool {
					if strings.HasPrefix(r.URL.Path, "/api/v1/principal-rate-limits") {
						if status == 200 {
							fmt.Fprint(w, `[{"id":"prl1","principalType":"SSWS_TOKEN","defaultPercentage":50}]`)
						} else {
							refuse(w, status, "E0000006", "no permission")
						}
						return true
					}
					return !l.allow(w)
				}
				began := time.Now()
				pages, err := readAll(t, open(t, org), "groups", nil)
				if err != nil || len(lines(pages)) != groups || l.refused > 0 {
					t.Errorf("%d groups, %d refused, %v, want %d", len(lines(pages)), l.refused, err, groups)
				}
				if got := org.count("/principal-rate-limits"); got != want {
					t.Errorf("%d groups: the share was asked for %d times, want %d", groups, got, want)
				}
				if took := time.Since(began); status == 200 && took > time.Minute {
					t.Errorf("%d calls of 250 a minute took %v", groups, took)
				}
			})
		}
	}
}
