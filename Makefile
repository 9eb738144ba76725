# `make` alone lists the targets. Go, git and make are all that is needed; what a target lacks beyond them it says.
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail
GO ?= go
BIN := bin/longshore
# The race detector needs a C compiler.
RACE := $(shell if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1; then echo -race; fi)

.PHONY: help run demo build test race check vet lint bench bench-okta bench-catalog bench-lake bench-write fuzz e2e sdk port-clients generate clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

build: ## build bin/longshore
	$(GO) build -o $(BIN) ./cmd/longshore

run: build ## the main job: Okta (or the demo org) to the catalog, then keep syncing; UI on http://127.0.0.1:8080
	$(BIN) up

demo: build ## the guide's own blueprints and mapping on the demo org, once, in a folder of its own
	$(BIN) up --once --pack guide --data bin/demo-guide

test: ## run every test
	$(GO) test -json -timeout 20m ./... | $(GO) run ./tools/testsum

# What is slow under the race detector is proven by test: here it runs on smaller orgs and fewer seeds (-short).
race: ## run the tests with the race detector, the long ones shortened; left out where no C compiler is found
	@if [ -z "$(RACE)" ]; then echo "race detector: left out, no C compiler found"; else \
		$(GO) test -json $(RACE) -short -vet=off -timeout 20m ./... | $(GO) run ./tools/testsum; fi

vet: ## gofmt, go vet and go mod tidy must have nothing to say
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff
	CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/longshore

lint: ## golangci-lint, built from its own module
	$(GO) -C tools/lint build -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...

check: vet test race e2e sdk lint ## everything that must hold before a commit; what CI runs

e2e: ## tests of the whole binary: the guide, kill and resume, an S3 tool
	$(GO) test -json -tags e2e -count=1 -timeout 30m ./e2e/... | $(GO) run ./tools/testsum

sdk: ## the vendor's Go SDK reads the stand-in org: tests in a module of their own, left out where it cannot be downloaded
	@why=$$($(GO) -C tools/oktasdk mod download 2>&1) || { \
		case "$$why" in *mismatch*) echo "$$why"; exit 1;; esac; \
		echo "skipped: longshore/tools/oktasdk: the SDK cannot be downloaded: $$(echo "$$why" | tail -n 1)"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }; \
	$(GO) -C tools/oktasdk test -json -vet=all -count=1 -timeout 20m ./... | $(GO) run ./tools/testsum

port-clients: ## real clients of Port and connectors of Airbyte, as published, against the whole binary, on both databases; left out where one cannot be downloaded
	$(GO) test -json -tags clients -vet=all -count=1 -timeout 40m ./e2e/clients | $(GO) run ./tools/testsum

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-okta: ## what a large org costs: calls and time against the per-user fan-out, what was foreseen, and memory at a million users
	$(GO) test -count=1 -v -run '^(TestRolesOfALargeOrg|TestCallsOfRandomOrgsAreForeseen)$$' ./internal/source/okta
	$(GO) test -count=1 -run '^$$' -bench ReadPage -benchmem ./internal/source/okta
	$(GO) test -count=1 -v -tags bench -timeout 90m -run TestAFullSync ./e2e

bench-lake: ## memory of ingest for an object of 5 GB, a line of 64 MiB, a large record and a bomb
	$(GO) test -count=1 -v -tags bench -timeout 60m -run '^TestLargeObjectsAreSmallInMemory$$' ./e2e

bench-write: ## what writing through the catalog costs, as ratios to a bulk upsert by the database's own means in the same run
	$(GO) test -count=1 -v -tags bench -timeout 30m -run '^TestWriteCost$$' ./internal/store

bench-catalog: ## what reading costs among a million entities, on SQLite and, where there is a server, on PostgreSQL
	$(GO) test -count=1 -v -tags bench -timeout 90m -run '^(TestMillion|TestDerivedPage)$$' ./internal/catalog

fuzz: ## each fuzz target for 20 seconds
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 20s $$p || exit 1; done; done

generate: ## rewrite golden files
	$(GO) test ./... -run 'Golden' -update

clean: ## remove what was built
	rm -rf bin
