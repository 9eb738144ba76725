package portapi

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"longshore/internal/ingest"
)

// How long the secret before a rotation stays good.
const (
	defaultOverlap = 24 * time.Hour
	longestOverlap = 30 * 24 * time.Hour
)

type rotatedAnswer struct {
	webhookAnswer
	PreviousValidUntil *stamp `json:"previousValidUntil,omitempty"`
	// Warning says why the secret is not asked for; "" where it is.
	Warning string `json:"warning,omitempty"`
}

// postRotateSecret gives a webhook another secret, the caller's or one that is made up, and lets the one before be good for
// a while beside it: no call is refused while its sender still signs with the old one. Ours, not Port's.
func (a *API) postRotateSecret(w http.ResponseWriter, r *request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	secret, err := doc.text("secret")
	if err != nil {
		return invalidRequest("secret: want a string") // without an excerpt of it
	}
	overlap := int64(defaultOverlap / time.Second)
	if v := doc.get("previousValidSeconds"); !isNull(v) && (json.Unmarshal(v, &overlap) != nil || overlap < 0 || overlap > int64(longestOverlap/time.Second)) {
		return invalidRequest("previousValidSeconds: want a whole number from 0 to %d, got %s", int64(longestOverlap/time.Second), excerpt(v))
	}
	if secret == "" {
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails
		secret = base64.RawURLEncoding.EncodeToString(random[:])
	}
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	until := a.Now().Add(time.Duration(overlap) * time.Second).UTC()
	hook = hook.Rotated(secret, until)
	if overlap == 0 {
		hook.PreviousSecret = ""
	}
	hook.UpdatedBy, hook.Security = r.who.ID, ingest.Security{}
	if hook, err = a.Webhooks.PutWebhook(r.Context(), hook); err != nil {
		return err
	}
	if hook, err = a.Webhooks.Webhook(r.Context(), hook.Identifier); err != nil {
		return err
	}
	wire, err := a.toWireWebhook(r, hook)
	if err != nil {
		return err
	}
	answer := rotatedAnswer{webhookAnswer: webhookAnswer{true, wire, wire}, Warning: hook.Security.Unchecked()}
	if hook.PreviousSecret != "" {
		until := stamp(hook.PreviousUntil)
		answer.PreviousValidUntil = &until
	}
	return writeJSON(w, http.StatusOK, answer)
}
