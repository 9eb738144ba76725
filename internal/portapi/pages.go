package portapi

import (
	"net/http"

	"longshore/internal/catalog"
)

type pageAnswer struct {
	OK   bool `json:"ok"`
	Page page `json:"page"`
}

type pagesAnswer struct {
	OK    bool   `json:"ok"`
	Pages []page `json:"pages"`
}

// page is the record of a catalog page.
type page struct {
	Identifier string `json:"identifier"`
	Title      string `json:"title"`
	Icon       string `json:"icon,omitempty"`
	Type       string `json:"type"`
	Blueprint  string `json:"blueprint"`
	CreatedAt  stamp  `json:"createdAt"`
	CreatedBy  string `json:"createdBy"`
	UpdatedAt  stamp  `json:"updatedAt"`
	UpdatedBy  string `json:"updatedBy"`
}

func toWirePage(p catalog.Page) page {
	return page{p.Identifier, p.Title, p.Icon, "blueprint-entities", p.Blueprint, stamp(p.CreatedAt), p.CreatedBy, stamp(p.UpdatedAt), p.UpdatedBy}
}

func (a *API) getPages(w http.ResponseWriter, r *request) error {
	list, err := a.Catalog.Pages(r.Context())
	if err != nil {
		return err
	}
	answer := pagesAnswer{true, make([]page, len(list))}
	for i, p := range list {
		answer.Pages[i] = toWirePage(p)
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) getPage(w http.ResponseWriter, r *request) error {
	p, err := a.Catalog.Page(r.Context(), r.names["page"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, pageAnswer{true, toWirePage(p)})
}
