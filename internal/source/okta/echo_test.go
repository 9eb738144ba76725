package okta

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
)

// A host, or a proxy before it, can say back what it was sent.
func TestNoMessageRepeatsACredentialThatTheHostSaysBack(t *testing.T) {
	for _, status := range []int{302, 400, 401, 403, 404, 409, 500} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent := r.Header.Get("Authorization")
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "https://elsewhere.test/?token="+strings.ReplaceAll(sent, " ", "+"))
				w.Header().Set("WWW-Authenticate", `SSWS error="`+sent+`"`)
				w.WriteHeader(status)
				if status%2 == 0 {
					fmt.Fprintf(w, `{"errorCode":%q,"errorSummary":"no %s"}`, sent, sent)
				}
			})
			s := open(t, echo, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			_, err := readAll(t, s, "users", nil)
			if said := fmt.Sprintf("%v %s %+v %s", err, fault.HintOf(err), asAPIError(err), log.String()); err == nil || strings.Contains(said, "secret-token") {
				t.Errorf("%d: %s", status, said)
			}
		})
	}
}

// What fails is waited for by the stream that needs it, not by the estimate as well.
func TestAnEstimateOfAnEndpointThatFailsIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/api/v1/iam") {
				refuse(w, 503, "E0000181", "unavailable")
				return true
			}
			return false
		}
		s := open(t, org)
		began := time.Now()
		e, err := s.Estimate(t.Context(), planOf(s))
		if took := time.Since(began); err != nil || e.Calls == 0 || len(e.Unsure) == 0 || took > 30*time.Second {
			t.Errorf("%+v, %v after %s; want what can be foreseen within 30 s", e, err, took)
		}
	})
}
