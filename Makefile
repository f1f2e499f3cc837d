# make help lists the targets. Go and make, and node, npm, Maven and PostgreSQL for the tests, are all that is needed; tools are
# built into .bin at the versions below.

GOLANGCI_LINT_VERSION := v2.15.0
APIDIFF_VERSION       := v0.0.0-20261113113407-e3970619a1a4

BIN := $(CURDIR)/.bin

# The root module and every module below it.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell \
	find . -name go.mod -not -path '*/.*/*' -not -path '*/node_modules/*' -not -path '*/testdata/*'))))

# Go turns cgo off, which the race detector needs, where it finds no C compiler.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race,$(warning no C compiler: testing without -race))

# How long each fuzz target runs: a duration, or a number of inputs such as 10000x.
FUZZTIME ?= 1m
# The packages whose code guides it.
GUIDES ?= all

# Modules that know nothing of the others. Those of chaincode are to build where somebody has copied them to, and go.work has
# them for those who work on them here.
ALONE := ./examples/chaincode/contract ./examples/chaincode/officialgo ./internal/crossvet ./internal/protogen ./internal/realfabric/fabric

# The others, which the workspace has. A tool that reads all of them at once reads what they import once.
TOGETHER := $(filter-out $(ALONE),$(MODULES))

# $(call each_module,command) runs the command in every module, $(call each_of,modules,command) in some. It fails at the end
# if the command failed in one of them.
each_module = $(call each_of,$(MODULES),$(1))
each_of = @failed=; for m in $(1); do \
	echo "== $$m: $(2)"; \
	(case " $(ALONE) " in (*" $$m "*) export GOWORK=off;; esac; cd "$$m" && $(2)) || failed="$$failed $$m"; \
	done; [ -z "$$failed" ] || { echo "failed in:$$failed" >&2; exit 1; }

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start a peer and an example chaincode, and show a session between them
	@mkdir -p $(BIN)
	cd cmd/ccpeer && go build -o $(BIN)/ .
	cd examples && go build -o $(BIN)/ ./chaincode/asset ./chaincode/market
	$(BIN)/ccpeer demo

.PHONY: test
test: ## Run every test of every module, with the race detector
	$(call each_module,go test $(RACE) ./...)

.PHONY: race
race: test ## The same as test

.PHONY: interop
interop: ## Run the official shims against the library
	cd internal/interop && go test $(RACE) ./...

.PHONY: clients
clients: ## Run Fabric's official clients against a network of Fabric and one of this repository
	cd internal/realfabric && go test $(RACE) ./clients

.PHONY: realfabric
realfabric: ## Compare 100,000 random policies with Fabric's own evaluator (make test: 2,000)
	cd internal/realfabric && go test -v -policies 100000 -timeout 60m .

.PHONY: soak
soak: ## Leave chaincode on official shims idle for 6 minutes, and see that it lives (make test: a few seconds)
	cd internal/interop && go test -run TestIdleSoak -soak 6m -timeout 20m .

.PHONY: linear
linear: ## Check many histories of concurrent clients of the ledger for linearizability (make test: a few)
	cd internal/linear && go test $(RACE) -rounds 500 -timeout 60m .

.PHONY: crash
crash: ## Kill writers of the Pebble store, crash its machine, and kill the leader of an etcd cluster, hundreds of times (make test: a few)
	cd ledger/kvledger/store/pebble && go test -run 'TestCrash|TestKill' -crashes 1000 -kills 1000 -timeout 60m .
	cd ledger/kvledger/store/etcd && go test -run TestCluster -kills 100 -timeout 30m .

.PHONY: lint
lint: $(BIN)/.golangci-lint-$(GOLANGCI_LINT_VERSION) ## Check every module with golangci-lint
	$(BIN)/golangci-lint run --allow-parallel-runners $(TOGETHER:%=%/...)
	$(call each_of,$(ALONE),$(BIN)/golangci-lint run --allow-parallel-runners ./...)

# Modules whose tests stop and kill processes, or lock files, as only a Unix can.
UNIX_TESTS := ./internal/interop ./ledger/kvledger/store/postgres ./internal/realfabric

CROSSVET := $(BIN)/crossvet

.PHONY: vet-cross
vet-cross: ## Check, as go vet does, that every module builds for macOS and Windows, with its tests
	GOWORK=off go build -C internal/crossvet -o $(BIN)/ .
	$(CROSSVET) -os darwin $(TOGETHER:%=%/...)
	$(CROSSVET) -os windows $(patsubst %,%/...,$(filter-out $(UNIX_TESTS),$(TOGETHER)))
	$(CROSSVET) -os windows -tests=false $(UNIX_TESTS:%=%/...)
	$(call each_of,$(ALONE),$(CROSSVET) -os darwin ./... && $(CROSSVET) -os windows ./...)

.PHONY: bench
bench: ## Measure latency, CPU and allocations against a bare gRPC stream
	go run ./internal/bench

.PHONY: bench-ledger
bench-ledger: ## Measure the ledger on every store: blocks, simulations, queries
	cd internal/benchledger && go run .

.PHONY: bench-peer
bench-peer: ## Measure a network in one process, beside a real one of Fabric, with many subscribers and blocks: 15 minutes or so
	go test ./peer -run '^$$' -bench .
	cd internal/realfabric && go test ./benchpeer -run '^$$' -bench 'BesideFabric|Subscribers|Flat' -benchtime 1x -timeout 60m -blocks 100000

.PHONY: bench-chaincodetest
bench-chaincodetest: ## Measure the kit for tests: the first transaction, submits, snapshots
	go test ./chaincodetest -run '^$$' -bench .
	cd internal/interop && go test -run '^$$' -bench Kit -benchtime 10x .

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (1m)
	$(call each_module,sh $(CURDIR)/.ci/fuzz $(FUZZTIME) $(GUIDES))

.PHONY: fuzz-short
fuzz-short: FUZZTIME := 10000x
# To build the standard library, gRPC, Pebble and etcd for guidance takes longer than all targets run.
fuzz-short: GUIDES := github.com/ccpeer/ccpeer/...
fuzz-short: fuzz ## Run every fuzz target for a few seconds, as CI does

# The packages that have the most to lose by a fault that no test notices, how many mutants of each are tried, and the seed
# of the sample.
MUTATED ?= handler chaincodesupport shim ledger/kvledger
MUTANTS ?= 50
SEED ?= 1

.PHONY: mutate
mutate: ## Make MUTANTS (50) small faults in each package of MUTATED, and see that tests notice them
	go run ./internal/mutate -seed $(SEED) -n $(MUTANTS) $(MUTATED)

.PHONY: mutate-short
mutate-short: MUTATED := handler shim
mutate-short: MUTANTS := 3
mutate-short: mutate ## Make a few small faults, as CI does

.PHONY: model
model: ## Compare a stream, and the registry, with their reference models for a million steps each (make test: 10,000)
	go test ./handler -run 'TestModel$$' -v -model 1000000 -timeout 60m
	go test ./chaincodesupport -run 'TestRegistryModel$$' -v -model 1000000 -timeout 60m

.PHONY: hostile
hostile: ## Attack a peer whose memory is limited to 1 GiB with gigabytes (make test: a sixteenth of the sizes)
	CCPEER_LONG=1 go test -p 1 ./internal/hostile ./cmd/ccpeer/internal/hostile -v -count=1 -timeout 60m

.PHONY: hostile-short
hostile-short: ## Attack it with a sixteenth, without the race detector, beside which memory can't be measured
	go test ./internal/hostile -count=1

# The packages whose tests have a long form, which CCPEER_LONG asks for. A test keeps the list.
LONG := ./chaincodesupport ./chaincodesupport/runtime/internal/group ./cmd/ccpeer/internal/crash ./cmd/ccpeer/internal/hostile ./handler ./internal/hostile ./ledger/kvledger ./ledger/kvledger/internal/mango ./peer/committer

.PHONY: long
long: ## Run the long form of every test that has one, at real sizes: some minutes, and 6 GiB of memory
	CCPEER_LONG=1 go test -p 1 -v -count=1 -timeout 120m $(LONG)

# What test-busy runs, and how often.
BUSY ?= ./...
BUSY_COUNT ?= 10

.PHONY: test-busy
test-busy: ## Run every test BUSY_COUNT (10) times on a machine that is busy with something else
	$(call each_module,sh $(CURDIR)/.ci/busy go test $(RACE) -count=$(BUSY_COUNT) -timeout 120m $(BUSY))

# Outside of the workspace, where what is made would depend on which protobuf the other modules want.
PROTOGEN := GOWORK=off go build -C internal/protogen -o $(BIN)/ . && $(BIN)/protogen proto

.PHONY: generate
generate: ## Generate the Go code of the .proto files, and what documents have of other files
	$(PROTOGEN) .
	go test ./handler -run Diagram -update
	go test ./chaincodesupport -run TestInstanceDiagram -update
	go test ./internal/arch -run TestReadme -update

.PHONY: checkgenerate
checkgenerate: ## Fail, showing the difference, unless generated code is what generate makes
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	mkdir "$$tmp/committed" && cp proto/*.pb.go "$$tmp/committed" && $(PROTOGEN) "$$tmp" && \
	{ diff -ru "$$tmp/committed" "$$tmp/proto" || { echo "run make generate" >&2; exit 1; }; }

# Outside of the workspace, so that it runs, and says what is wrong, also when the workspace can't be loaded.
RELEASE := GOWORK=off go build -C internal/release -o $(BIN)/ . && $(BIN)/release

.PHONY: tidy
tidy: ## Make every go.mod and go.sum say what the code needs
	$(RELEASE) tidy

.PHONY: checktidy
checktidy: ## Fail unless every go.mod and go.sum says what the code needs
	$(RELEASE) tidy -check

.PHONY: release-check
release-check: ## Get, build and install what is published, from a module proxy made of this tree, as a stranger would
	$(RELEASE) check

# The modules that others import from.
LIBRARIES := . chaincodetest/fabricshim ledger/kvledger/store/etcd ledger/kvledger/store/pebble ledger/kvledger/store/postgres

.PHONY: api
api: $(BIN)/.apidiff-$(APIDIFF_VERSION) ## Report what has changed in the API of each module since its last tag
	.ci/api $(BIN)/apidiff $(LIBRARIES)

.PHONY: release-raise
release-raise: ## Have every module require the others at VERSION, which is released next
	$(RELEASE) raise $(VERSION)

.PHONY: clean
clean: ## Remove what make has built, tools included
	rm -rf $(BIN)

# A tool is installed when the file that is named after its version is there.
$(BIN)/.apidiff-$(APIDIFF_VERSION):
	GOBIN=$(BIN) go install golang.org/x/exp/cmd/apidiff@$(APIDIFF_VERSION)
	@touch $@

$(BIN)/.golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@touch $@
