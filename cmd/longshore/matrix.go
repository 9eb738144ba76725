package main

import (
	"fmt"
	"slices"
	"strings"

	"longshore/internal/source/okta"
)

// matrixWidth is how wide the capability matrix is at most.
const matrixWidth = 100

// The columns of the matrix; streams stand in the last one.
const (
	endpointColumn = 47
	answerColumn   = 5
	usesColumn     = 12
)

// writeMatrix writes what a credential can and cannot see, for people.
func writeMatrix(b *strings.Builder, c okta.Capabilities) {
	writeIdentity(b, c)
	if len(c.Probes) == 0 {
		return
	}
	fmt.Fprintf(b, "       %-*s%-*s%-*s%s\n", endpointColumn, "endpoint", answerColumn, "", usesColumn, "uses/min", "streams")
	for _, group := range byNeed(c.Probes) {
		p := group[0]
		need := "scope " + p.Scope + ", role " + p.Role
		if p.Grant != "" {
			need += " or a custom one with " + p.Grant
		}
		writeWrapped(b, "  ", "    ", need)
		for _, p := range group {
			writeProbe(b, p)
		}
	}
	b.WriteString("  uses/min: requests a minute that a sync may use, of those that Okta shows. * is an optional stream.\n  (stream): read without it too, but slower or less surely. -: not asked, no object was seen to ask for.\n")
	writeGaps(b, c)
	switch {
	case len(c.Unreadable) > 0:
		writeWrapped(b, "  ", "    ", "NOT READABLE, or not in full: "+strings.Join(c.Unreadable, ", "))
	default:
		b.WriteString("  Every chosen stream can be read.\n")
	}
}

// writeIdentity writes which org it is, who asks, and how much.
func writeIdentity(b *strings.Builder, c okta.Capabilities) {
	if c.OrgID != "" {
		engine := map[string]string{"idx": "Identity Engine", "v1": "Classic Engine"}[c.Pipeline]
		fmt.Fprintf(b, "  org %s  %s  %s\n", c.OrgID, engine, c.Host)
	}
	who := c.Identity.Kind
	if c.Identity.ClientID != "" {
		who += " " + c.Identity.ClientID
	}
	if c.Identity.DPoP {
		who += ", with DPoP"
	}
	if c.Identity.Granted != nil {
		who += fmt.Sprintf("; scopes granted: %s", strings.Join(c.Identity.Granted, " "))
	}
	writeWrapped(b, "  ", "    ", "signed in by "+who)
	share := fmt.Sprintf("of each rate limit a sync uses at most %.0f %%", 100*c.Share)
	if c.Granted > 0 {
		share += fmt.Sprintf("; Okta grants this credential %.0f %%", 100*c.Granted)
	}
	fmt.Fprintf(b, "  %s\n", share)
}

// byNeed groups probes by scope, role and permission, in the order of the first of each.
func byNeed(probes []okta.Probe) (groups [][]okta.Probe) {
	for _, p := range probes {
		i := slices.IndexFunc(groups, func(g []okta.Probe) bool {
			return g[0].Scope == p.Scope && g[0].Role == p.Role && g[0].Grant == p.Grant
		})
		if i < 0 {
			groups, i = append(groups, nil), len(groups)
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

func writeProbe(b *strings.Builder, p okta.Probe) {
	mark, answer, uses := "yes", "", ""
	switch {
	case p.Skipped:
		mark = "-"
	case !p.OK && len(p.Needed) > 0:
		mark = "NO"
	case !p.OK:
		mark = "no"
	}
	if p.Status > 0 {
		answer = fmt.Sprint(p.Status)
	}
	if p.Limit > 0 {
		uses = fmt.Sprintf("%d/%d", p.Uses, p.Limit)
	}
	var streams []string
	for _, name := range p.Streams {
		if !slices.Contains(p.Needed, name) {
			name += "*"
		}
		streams = append(streams, name)
	}
	for _, name := range p.Helps {
		streams = append(streams, "("+name+")")
	}
	if len(streams) == 0 {
		streams = []string{"[" + p.What + "]"}
	}
	head := fmt.Sprintf("  %-5s%-*s%-*s%-*s", mark, endpointColumn, endpointName(p.Endpoint), answerColumn, answer, usesColumn, uses)
	writeWrapped(b, head, strings.Repeat(" ", len(head)), strings.Join(streams, ", "))
}

func endpointName(path string) string { return strings.TrimPrefix(path, "/api/v1") }

// writeGaps writes what is wrong, what it costs and how it is mended, once for all endpoints with the same cure.
func writeGaps(b *strings.Builder, c okta.Capabilities) {
	for _, f := range c.Findings {
		writeWrapped(b, "  ! ", "    ", f.Problem)
		writeWrapped(b, "    cure   ", "           ", f.Mend)
	}
	var groups [][]okta.Probe
	for _, p := range c.Probes {
		if p.OK || p.Skipped {
			continue
		}
		i := slices.IndexFunc(groups, func(g []okta.Probe) bool {
			return g[0].Mend == p.Mend && g[0].Status == p.Status && g[0].Code == p.Code
		})
		if i < 0 {
			groups, i = append(groups, nil), len(groups)
		}
		groups[i] = append(groups[i], p)
	}
	for _, group := range groups {
		var at, costs []string
		for _, p := range group {
			at = append(at, endpointName(p.Endpoint))
			costs = append(costs, p.Cost)
		}
		writeWrapped(b, "  ! ", "    ", strings.Join(at, ", "))
		writeWrapped(b, "    answer ", "           ", group[0].Problem)
		writeWrapped(b, "    costs  ", "           ", strings.Join(costs, " "))
		if group[0].Mend != "" {
			writeWrapped(b, "    cure   ", "           ", group[0].Mend)
		}
	}
}

// writeWrapped writes a text in lines of at most matrixWidth, the first after head and the others after indent.
func writeWrapped(b *strings.Builder, head, indent, text string) {
	line, empty := head, true
	for word := range strings.FieldsSeq(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > matrixWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
