package portapi

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"longshore/internal/fault"
	"longshore/internal/ingest"
)

// Limits of a webhook's document (Port's).
const (
	maxWebhookID          = 30
	maxWebhookTitle       = 30
	maxWebhookDescription = 200
)

// mask stands for a secret in answers to a browser. Sent back, it means the secret that is stored.
const mask = "********"

var webhookID = regexp.MustCompile(`^[\p{L}0-9@_.+:\\/=-]+$`)

// Both envelope keys are answered: some clients read the one, some the other.
type webhookAnswer struct {
	OK          bool    `json:"ok"`
	Integration members `json:"integration"`
	Webhook     members `json:"webhook"`
}

type webhooksAnswer struct {
	OK           bool      `json:"ok"`
	Integrations []members `json:"integrations"`
	Webhooks     []members `json:"webhooks"`
}

// toWireWebhook is the document as it was sent, with what the server adds. The secret goes to machines, which set it and
// compare it with what they set (the Terraform provider); a browser gets the mask.
func (a *API) toWireWebhook(r *request, w ingest.Webhook) (members, error) {
	doc, err := parseMembers("webhook", w.Doc)
	if err != nil {
		return nil, err
	}
	security, err := parseMembers("security", doc.get("security"))
	if err != nil {
		return nil, err
	}
	switch {
	case w.Secret == "":
	case r.who.Machine:
		security.put("secret", w.Secret)
	default:
		security.put("secret", mask)
	}
	doc.put("security", security)
	if isNull(doc.get("mappings")) {
		doc.set("mappings", json.RawMessage("[]"))
	}
	if isNull(doc.get("enabled")) {
		doc.put("enabled", w.Enabled)
	}
	if isNull(doc.get("integrationType")) {
		doc.put("integrationType", "custom")
	}
	doc.put("webhookKey", w.Key)
	doc.put("url", a.publicURL(r)+"/ingest/"+url.PathEscape(w.Key))
	doc.put("createdAt", stamp(w.CreatedAt))
	doc.put("createdBy", w.CreatedBy)
	doc.put("updatedAt", stamp(w.UpdatedAt))
	doc.put("updatedBy", w.UpdatedBy)
	return doc, nil
}

// publicURL is the address under which clients reach us.
func (a *API) publicURL(r *request) string {
	if a.PublicURL != "" {
		return strings.TrimRight(a.PublicURL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (a *API) getWebhooks(w http.ResponseWriter, r *request) error {
	return a.listWebhooks(w, r, func(*members) {})
}

func (a *API) getWebhooksMetadata(w http.ResponseWriter, r *request) error {
	return a.listWebhooks(w, r, func(m *members) { m.drop("security") })
}

func (a *API) listWebhooks(w http.ResponseWriter, r *request, show func(*members)) error {
	list, err := a.Webhooks.Webhooks(r.Context())
	if err != nil {
		return err
	}
	all := make([]members, len(list))
	for i, hook := range list {
		if all[i], err = a.toWireWebhook(r, hook); err != nil {
			return err
		}
		show(&all[i])
	}
	return writeJSON(w, http.StatusOK, webhooksAnswer{true, all, all})
}

func (a *API) getWebhook(w http.ResponseWriter, r *request) error {
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	return a.writeWebhook(w, r, http.StatusOK, hook)
}

func (a *API) writeWebhook(w http.ResponseWriter, r *request, status int, hook ingest.Webhook) error {
	wire, err := a.toWireWebhook(r, hook)
	if err != nil {
		return err
	}
	return writeJSON(w, status, webhookAnswer{true, wire, wire})
}

func (a *API) postWebhook(w http.ResponseWriter, r *request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	if isNull(doc.get("identifier")) {
		doc.put("identifier", newWebhookID())
	}
	return a.saveWebhook(w, r, http.StatusCreated, ingest.Webhook{}, doc)
}

func newWebhookID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// putWebhook makes the body the webhook's document; what it leaves out is gone. Another identifier renames it.
func (a *API) putWebhook(w http.ResponseWriter, r *request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	if isNull(doc.get("identifier")) {
		doc.put("identifier", hook.Identifier)
	}
	return a.saveWebhook(w, r, http.StatusOK, hook, doc)
}

// patchWebhook replaces the members that the body names.
func (a *API) patchWebhook(w http.ResponseWriter, r *request) error {
	patch, err := r.object()
	if err != nil {
		return err
	}
	hook, err := a.Webhooks.Webhook(r.Context(), r.names["webhook"])
	if err != nil {
		return err
	}
	doc, err := parseMembers("webhook", hook.Doc)
	if err != nil {
		return err
	}
	if !sent(patch, "security") && hook.Secret != "" { // it stays
		security, err := parseMembers("security", doc.get("security"))
		if err != nil {
			return err
		}
		security.put("secret", mask)
		doc.put("security", security)
	}
	for _, m := range patch {
		doc.set(m.Name, m.Value)
	}
	if isNull(doc.get("identifier")) {
		doc.put("identifier", hook.Identifier)
	}
	return a.saveWebhook(w, r, http.StatusOK, hook, doc)
}

func sent(m members, name string) bool {
	return slices.ContainsFunc(m, func(x member) bool { return x.Name == name })
}

// saveWebhook checks a document, takes the secret out of it, and keeps both.
func (a *API) saveWebhook(w http.ResponseWriter, r *request, status int, hook ingest.Webhook, doc members) error {
	doc.drop("webhookKey", "url", "createdAt", "createdBy", "updatedAt", "updatedBy", "id", "ok")
	secret, err := checkWebhook(&doc)
	if err != nil {
		return err
	}
	if secret == mask {
		secret = hook.Secret
	}
	if secret != hook.Secret { // whoever sets another one at once wants the old one gone
		hook.PreviousSecret = ""
	}
	text, err := encode(doc)
	if err != nil {
		return err
	}
	hook.Doc, hook.Secret, hook.UpdatedBy, hook.Security = text, secret, r.who.ID, ingest.Security{}
	if hook, err = a.Webhooks.PutWebhook(r.Context(), hook); err != nil {
		return err
	}
	if hook, err = a.Webhooks.Webhook(r.Context(), hook.Identifier); err != nil {
		return err
	}
	return a.writeWebhook(w, r, status, hook)
}

// checkWebhook checks the shape of a webhook's document and takes its secret out. Mappings are not compiled: what is
// wrong with them shows when events arrive.
func checkWebhook(doc *members) (secret string, err error) {
	for _, m := range []struct {
		name string
		most int
	}{{"identifier", maxWebhookID}, {"title", maxWebhookTitle}, {"description", maxWebhookDescription}, {"icon", maxWebhookDescription}, {"integrationType", maxWebhookID}} {
		text, err := doc.text(m.name)
		if err != nil {
			return "", err
		}
		switch {
		case utf8.RuneCountInString(text) > m.most:
			return "", invalidRequest("webhook %s: longer than %d characters", m.name, m.most)
		case m.name == "identifier" && (!webhookID.MatchString(text) || text == "." || text == ".."):
			return "", invalidRequest("webhook identifier %q: want 1 to %d letters, digits or @_.+:\\/=-", text, maxWebhookID)
		case m.name == "title" && text == "":
			return "", invalidRequest("webhook title: required")
		case m.name == "integrationType" && text != "" && text != "custom" && text != "template":
			return "", invalidRequest("webhook integrationType %q: want custom or template", text)
		}
	}
	var enabled bool
	if v := doc.get("enabled"); !isNull(v) && json.Unmarshal(v, &enabled) != nil {
		return "", invalidRequest("webhook enabled: want true or false, got %s", excerpt(v))
	}
	var mappings []map[string]json.RawMessage
	if v := doc.get("mappings"); !isNull(v) && json.Unmarshal(v, &mappings) != nil {
		return "", invalidRequest("webhook mappings: want a list of objects, got %s", excerpt(v))
	}
	if err := checkOwnMembers(*doc); err != nil {
		return "", err
	}
	security, err := parseMembers("security", doc.get("security"))
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "webhook security: want an object").WithCode("invalid_request", nil) // without an excerpt of it
	}
	for _, name := range []string{"secret", "signatureHeaderName", "signatureAlgorithm", "signaturePrefix", "requestIdentifierPath"} {
		var text string
		if v := security.get(name); !isNull(v) && json.Unmarshal(v, &text) != nil {
			return "", invalidRequest("webhook security.%s: want a string", name)
		}
		if name == "signatureAlgorithm" && !slices.Contains([]string{"", "sha1", "sha256", "plain"}, text) {
			return "", invalidRequest("webhook security.signatureAlgorithm %q: want sha1, sha256 or plain", text)
		}
		if name == "secret" && text != "" {
			secret = text
			security.drop("secret")
			doc.put("security", security)
		}
	}
	return secret, nil
}

// checkOwnMembers checks what Port's webhooks do not have.
func checkOwnMembers(doc members) error {
	for _, name := range []string{"strict", "createMissingRelatedEntities"} {
		var yes bool
		if v := doc.get(name); !isNull(v) && json.Unmarshal(v, &yes) != nil {
			return invalidRequest("webhook %s: want true or false, got %s", name, excerpt(v))
		}
	}
	for _, m := range []struct {
		name string
		most int64
	}{{"maxItems", ingest.MostItems}, {"maxPayloadBytes", ingest.MostPayloadBytes}} {
		var n int64
		if v := doc.get(m.name); !isNull(v) && (json.Unmarshal(v, &n) != nil || n < 1 || n > m.most) {
			return invalidRequest("webhook %s: want a whole number from 1 to %d, got %s", m.name, m.most, excerpt(v))
		}
	}
	var config struct {
		Resources []map[string]json.RawMessage `json:"resources"`
	}
	if v := doc.get("config"); !isNull(v) && json.Unmarshal(v, &config) != nil {
		return invalidRequest("webhook config: want an object with a list of resources, got %s", excerpt(v))
	}
	return nil
}

func (a *API) deleteWebhook(w http.ResponseWriter, r *request) error {
	if err := a.Webhooks.DeleteWebhook(r.Context(), r.names["webhook"]); err != nil {
		return err
	}
	return writeOK(w)
}
