# Serinus. The two commands that a newcomer needs: make demo, make test.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# All builds use the committed Cargo.lock.
LOCKED ?= --locked
# What the demo is given: make demo ARGS=--once
ARGS ?=
# The image's name: make image TAG=registry.example/serinus:1
TAG ?= serinus:local
# Further arguments of the build, such as other base images:
# BUILD_ARGS='--build-arg RUST_IMAGE=mirror.example/rust:1.95-bookworm'
BUILD_ARGS ?=
# What builds the image: docker, podman or buildah.
CONTAINER_TOOL ?= docker
# The same runtime with busybox, for CI systems that start a shell in the image.
DEBUG_RUNTIME_IMAGE ?= gcr.io/distroless/cc-debian12:debug-nonroot

.PHONY: help
help: ## Says what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-31s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## Runs the service on a simulated fleet, with a good and a bad canary (ARGS=--once ends by itself)
	@scripts/say-what-is-built.sh "$(CARGO)"
	@$(CARGO) run $(LOCKED) --package serinus -- demo $(ARGS)

.PHONY: test
test: tools ## Installs what the tests need where it is missing, and runs them all
	@scripts/run-tests.sh

.PHONY: tools
tools: ## Installs Prometheus, VictoriaMetrics, Chromium and Python from the system's packages where they are missing
	@scripts/install-test-tools.sh

.PHONY: lint
lint: ## Checks format, lints, documentation, generated files and dependency rules
	@scripts/lint.sh

.PHONY: bench
bench: ## Runs the benchmarks
	@$(CARGO) bench $(LOCKED) --workspace --benches

.PHONY: prove-counts
prove-counts: tools ## Holds the counts against a fleet of known truth for two minutes, of two sources
	@$(CARGO) build $(LOCKED) --package serinus
	@SERINUS_COUNTS_SECONDS=120 $(CARGO) test $(LOCKED) --package serinus-tests --test integration -- --nocapture true_counts::everything::

.PHONY: prove-faults
prove-faults: tools ## Lets Prometheus be down, slow, flapping or answer garbage for a whole minute under rollouts
	@$(CARGO) build $(LOCKED) --package serinus
	@SERINUS_FAULT_SECONDS=60 $(CARGO) test $(LOCKED) --package serinus-tests --test integration -- --nocapture gate_faults::

.PHONY: prove-operating-characteristics
prove-operating-characteristics: ## Simulates 1000 rollouts in each cell and writes docs/operating-characteristics.md
	@commit="$$(git rev-parse --short HEAD)"; status=0; \
	$(CARGO) run $(LOCKED) --quiet --release --package serinus -- simulate --table --replicates 1000 \
		--write docs/operating-characteristics.md --commit "$$commit" $(ARGS) || status=1; \
	$(CARGO) run $(LOCKED) --quiet --release --package serinus -- simulate rollout --table --replicates 200 \
		--write docs/operating-characteristics.md --commit "$$commit" || status=1; \
	exit $$status

.PHONY: prove-real-data
prove-real-data: tools ## Judges recorded canaries whose truth is known (DATA=folder of cases)
	@test -n "$(DATA)" || { echo "say where the cases are: make prove-real-data DATA=folder"; exit 2; }
	@$(CARGO) build $(LOCKED) --package serinus
	@scripts/prove-real-data.py "$(DATA)" $(ARGS)

.PHONY: prove-crash
prove-crash: tools ## Kills the service 50 times while rollouts run: nothing is lost or contradicted
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-crash.py $(ARGS)

.PHONY: prove-clock
prove-clock: tools ## Sets the clock back and ahead while rollouts run: judging goes on
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-clock.py $(ARGS)

.PHONY: prove-disk-full
prove-disk-full: tools ## Fills the disk of the store again and again while rollouts run (needs root)
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-disk-full.py $(ARGS)

.PHONY: prove-load
prove-load: ## Runs 1,000 open rollouts with four checks each, polled meanwhile (about 5 minutes)
	@$(CARGO) build $(LOCKED) --release --package serinus
	@$(CARGO) build $(LOCKED) --release --package serinus-tests --bins
	@scripts/prove-load.py $(ARGS)

.PHONY: prove-connections
prove-connections: ## Takes up all connections, idle, slow and as event streams: health and gates are answered (2 minutes)
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-connections.py $(ARGS)

.PHONY: prove-memory
prove-memory: ## Asks for sixteen analyses of very large answers at once, and looks at the memory (about 5 minutes)
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-memory.py $(ARGS)

.PHONY: prove-reading-costs
prove-reading-costs: tools ## Measures what an evaluation costs Prometheus and Serinus, with 4 to 400 pods a side (3 minutes)
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/prove-reading-costs.py $(ARGS)

.PHONY: prove-gate-speed
prove-gate-speed: tools ## Holds a gate against a bare handler that returns the same bytes
	@$(CARGO) build $(LOCKED) --release --package serinus
	@$(CARGO) build $(LOCKED) --release --package serinus-tests --bins
	@scripts/prove-gate-speed.py $(ARGS)

.PHONY: prove-callers
prove-callers: tools ## Runs the real controllers of Argo Rollouts and Flagger against the examples (needs Go, 8 minutes)
	@if command -v go >/dev/null && [ -z "$${SERINUS_BIN:-}" ]; then \
	  $(CARGO) build $(LOCKED) --release --package serinus; fi
	@scripts/prove-callers.py $(ARGS)

.PHONY: prove-schema
prove-schema: tools ## Runs schemathesis against the running service, all operations and checks
	@$(CARGO) build $(LOCKED) --package serinus
	@scripts/prove-schema.py $(ARGS)

.PHONY: notebooks
notebooks: tools ## Executes the notebooks, and holds docs/pictures against what they draw
	@scripts/run-notebooks.sh check $(ARGS)

.PHONY: pictures
pictures: tools ## Executes the notebooks and writes docs/pictures
	@scripts/run-notebooks.sh write $(ARGS)

.PHONY: measure
measure: tools ## Measures start, memory and size when idle, and an analysis against its slowest query
	@$(CARGO) build $(LOCKED) --release --package serinus
	@scripts/measure-idle.sh
	@scripts/measure-analysis.py

.PHONY: openapi
openapi: ## Writes openapi/openapi.json from the code
	@$(CARGO) run $(LOCKED) --quiet --package serinus -- openapi --write

.PHONY: reference
reference: ## Writes docs/reason-codes.md, docs/problems.md, docs/configuration.md and the tables of presets from the code
	@UPDATE_DOCS=1 $(CARGO) test $(LOCKED) --quiet --package serinus --lib reference::

.PHONY: image
image: ## Builds the container image (TAG=registry.example/serinus:1, BUILD_ARGS=..)
	@$(CONTAINER_TOOL) build --tag $(TAG) $(BUILD_ARGS) .

.PHONY: image-debug
image-debug: ## Builds it with a shell (busybox) in it, for GitLab's runner, as TAG-debug
	@$(CONTAINER_TOOL) build --tag $(TAG)-debug --build-arg RUNTIME_IMAGE=$(DEBUG_RUNTIME_IMAGE) $(BUILD_ARGS) .

.PHONY: clean
clean: ## Removes everything that was built
	@$(CARGO) clean
