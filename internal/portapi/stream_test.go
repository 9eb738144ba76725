package portapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/portapi"
	"longshore/internal/server"
)

// endless is a catalog whose search gives one page and then fails.
type endless struct{ portapi.Catalog }

func (endless) Search(_ context.Context, req catalog.SearchRequest) (catalog.SearchPage, error) {
	if req.From != "" {
		return catalog.SearchPage{}, errors.New("the disk is gone")
	}
	return catalog.SearchPage{Entities: []catalog.Entity{{Blueprint: "b", Identifier: "1"}}, Next: "more"}, nil
}

func (endless) Blueprint(context.Context, string) (catalog.Blueprint, error) {
	return catalog.Blueprint{Identifier: "b", Doc: []byte(`{"schema":{"properties":{}}}`)}, nil
}

// everybody lets all callers in.
type everybody struct{ portapi.Keeper }

func (everybody) Authenticate(*http.Request) (auth.Principal, error) {
	return auth.Principal{ID: "c", Machine: true, Role: auth.Admin}, nil
}

func TestHalfAListDoesNotPassForAWholeOne(t *testing.T) {
	api := portapi.New(portapi.Config{Keeper: everybody{}, Catalog: endless{}, Now: func() time.Time { return theTime }})
	s, err := server.Open(server.Config{Listen: "127.0.0.1:0", Doors: []server.Door{{Prefix: "/v1/", Handler: api}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	answer, err := http.Get(s.URL() + "/v1/blueprints/b/entities")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("the client read to the end, want a broken connection")
	}
}
