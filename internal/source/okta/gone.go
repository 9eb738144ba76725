package okta

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// isGone reports whether what stands above a request that was answered with 404 is gone itself: then nothing is missing.
// Anything else than a plain yes leaves the 404 unexplained. Users, groups and apps are asked for by id. Of what stands
// elsewhere the list that told of it is read anew: a 404 there too could mean that the whole endpoint is closed.
func (r *reading) isGone(ctx context.Context, request string) bool {
	path, _, _ := strings.Cut(request, "?")
	if client, ok := strings.CutPrefix(path, clientsPrefix); ok {
		id, _, _ := strings.Cut(client, "/")
		return r.isAbsent(ctx, apiPrefix+"apps/"+id)
	}
	parts := strings.Split(strings.TrimPrefix(path, apiPrefix), "/")
	above := func(n int) string { return apiPrefix + strings.Join(parts[:n], "/") }
	principal := parts[0] == "users" || parts[0] == "groups"
	switch n := len(parts); {
	case n == 3 && (principal || parts[0] == "apps"):
		return r.isAbsent(ctx, above(2))
	case n > 5 && principal && parts[2] == "roles": // …/roles/{id}/targets/…
		return r.isUnlisted(ctx, above(3), "", parts[3])
	case n == 4 && parts[0] == "iam" && parts[1] == "roles":
		return r.isUnlisted(ctx, r.source.customRolesRequest(), "roles", parts[2])
	case n == 4 && parts[0] == "iam" && parts[1] == "resource-sets":
		return r.isUnlisted(ctx, r.source.resourceSetsRequest(), "resource-sets", parts[2])
	case n == 6 && parts[0] == "iam" && parts[1] == "resource-sets": // …/bindings/{role}/members
		return r.isUnlisted(ctx, r.source.resourceSetRequest(parts[2], "/bindings"), "roles", parts[4])
	}
	return false
}

// isAbsent reports whether an object asked for by its id is not there.
func (r *reading) isAbsent(ctx context.Context, request string) bool {
	a, err := r.client.get(ctx, request)
	r.met(a)
	return fault.Is(err, fault.NotFound)
}

// isUnlisted reports whether a list, read anew, does not have an object. A list that is gone with what stands above it
// does not have it either.
func (r *reading) isUnlisted(ctx context.Context, request, key, escaped string) bool {
	id, err := url.PathUnescape(escaped)
	if err != nil {
		return false
	}
	pages := newPager(r.client, key, request, "")
	for pages.more() {
		page, err := pages.fetch(anew(ctx))
		r.met(page.answer)
		if refused := asAPIError(err); refused != nil && refused.Status == http.StatusNotFound {
			return r.isGone(ctx, request)
		}
		if err != nil || pages.hollow {
			return false
		}
		for _, record := range page.records {
			if rawjson.GetString(record, "id") == id {
				return false
			}
		}
	}
	return true
}

// anew is the context of what must tell of the org as it is now, whatever was read for the run before.
func anew(ctx context.Context) context.Context { return context.WithValue(ctx, runKey{}, nil) }

// groupNow returns a group with its stats as they are now, nil when it is gone. ok is false when that cannot be told.
func (r *reading) groupNow(ctx context.Context, id string) (group []byte, ok bool) {
	page, _, err := r.client.page(anew(ctx), r.source.groupsWithStats()+"&filter="+url.QueryEscape(`id eq "`+strings.ReplaceAll(id, `"`, "")+`"`), "")
	r.met(page.answer)
	if err != nil {
		return nil, false
	}
	for _, record := range page.records {
		if rawjson.GetString(record, "id") == id {
			return record, true
		}
	}
	return nil, len(page.records) == 0 && r.isAbsent(ctx, apiPrefix+"groups/"+url.PathEscape(id))
}

// hasEmptied reports whether a group whose members are listed as none has none indeed: it lost them since it was listed.
func hasEmptied(ctx context.Context, r *reading, id string) bool {
	group, ok := r.groupNow(ctx, id)
	return ok && (group == nil || !hasMembers(group))
}

// hasNoRole is the same of a group's roles.
func hasNoRole(ctx context.Context, r *reading, id string) bool {
	group, ok := r.groupNow(ctx, id)
	return ok && (group == nil || !mayHoldRoles(group))
}
