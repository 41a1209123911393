# Everything a person or the gate does with the project. Nothing outside this directory is touched.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Compiled once, not at every start of a process; the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# The stamps are written last: an environment without .venv/.setup was interrupted and is built anew.
SETUP := .venv/.setup
SETUP_TEST := .venv/.setup-test
SOURCES := $(wildcard app models rest s3 schema web tests benchmarks moorings examples/python/backup_destinations.py explorer/build.py deploy/container/healthcheck.py .ci/sbom.py .ci/release.py)
NODE_MODULES := benchmarks/peers/node_modules examples/apollo/node_modules explorer/node_modules tests/clients/node_modules
SOAK := tests/reliability/test_soak.py
INSTALL := install --quiet --no-cache-dir --disable-pip-version-check

# A virtual environment whose Python was upgraded or removed is not current either.
ifeq ($(realpath $(BIN)/python),)
$(SETUP) $(SETUP_TEST): FORCE
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS='...' is handed on to the command behind run, test, bench, fuzz and lock; PYTHON=... chooses the interpreter."

.PHONY: setup
setup: $(SETUP) ## make .venv with what the gateway needs; does nothing when it is current

.PHONY: setup-test
setup-test: $(SETUP_TEST) ## make .venv with what the tests need too; does nothing when it is current

.PHONY: explorer
explorer: $(SETUP) ## build the pages for the browser; does nothing when they are current
	@$(BIN)/python explorer/build.py

.PHONY: run
run: $(SETUP) ## start the gateway on 127.0.0.1:8000
	@$(BIN)/python explorer/build.py || true
	@exec $(BIN)/moorings serve $(ARGS)

.PHONY: browser
browser: $(SETUP_TEST) ## bring the browser the tests need; does nothing when one is there
	@$(BIN)/python -m tests.support.browser.provide

.PHONY: nginx
nginx: $(SETUP_TEST) ## bring the nginx and the PgBouncer the tests need; does nothing when they are there
	@$(BIN)/python -m tests.support.proxies.provide

.PHONY: faketime
faketime: $(SETUP_TEST) ## bring the libfaketime of the tests that set clocks; does nothing when one is there
	@$(BIN)/python -m tests.support.clocks.provide

.PHONY: test
test: $(SETUP_TEST) browser nginx faketime ## run the whole suite, on SQLite and PostgreSQL
	@$(BIN)/python explorer/build.py
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

.PHONY: format
format: $(SETUP_TEST) ## rewrite the sources in the one format
	@$(BIN)/ruff check --select I --fix --quiet .
	@$(BIN)/ruff format .

.PHONY: lint
lint: $(SETUP_TEST) ## check the format and the lint rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

.PHONY: types
types: $(SETUP_TEST) ## check the types
	@$(BIN)/mypy $(SOURCES)

.PHONY: drift
drift: $(SETUP_TEST) ## check that the migrations still match the models
	@$(BIN)/python -m pytest tests/models/migrations -k drift

.PHONY: check
check: ## run the gate: tests, format, lint, types, drift
	@.ci/run

.PHONY: bench
bench: $(SETUP_TEST) ## measure the gateway beside its peers; writes docs/performance
	@exec $(BIN)/python -m benchmarks.compare $(ARGS)

.PHONY: bench-quick
bench-quick: $(SETUP_TEST) ## check in half a minute that the gateway has not become slower
	@exec $(BIN)/python -m benchmarks.quick $(ARGS)

.PHONY: bench-growth
bench-growth: $(SETUP_TEST) ## measure how the cost grows with a user's destinations
	@exec $(BIN)/python -m benchmarks.growth $(ARGS)

.PHONY: bench-before
bench-before: $(SETUP_TEST) ## measure writes on SQLite beside an earlier commit: ARGS=COMMIT
	@exec $(BIN)/python -m benchmarks.before $(ARGS)

.PHONY: bench-sizing
bench-sizing: $(SETUP_TEST) ## measure what rows take on disk and a worker of the machine; writes docs/performance/sizing.md
	@exec $(BIN)/python -m benchmarks.sizing $(ARGS)

.PHONY: fuzz
fuzz: $(SETUP_TEST) ## hold compiled queries against graphql-core for minutes; ARGS='CASES SEED'
	@exec $(BIN)/python -m tests.support.fuzz.operation_fuzz $(ARGS)

.PHONY: stores
stores: $(SETUP_TEST) ## check against real stores: Debian's Ceph and Swift, installed as root where missing, moto and rclone
	@command -v radosgw >/dev/null && command -v ceph-osd >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common; }
	@[ -d /usr/lib/python3/dist-packages/swift/common/middleware/s3api ] || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-swift; }
	@command -v restic >/dev/null && command -v rclone >/dev/null && command -v curl >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends restic rclone curl; }
	@MOORINGS_FULL=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/s3/test_prober_ceph.py tests/s3/test_prober_rclone.py \
		tests/s3/test_prober_store.py tests/s3/test_prober_swift.py tests/s3/presigning tests/app/backups $(ARGS)

.PHONY: containers
containers: $(SETUP_TEST) ## build the image on stand-ins for its bases and run docker-compose.yml, as root with Debian's podman, installed where missing
	@command -v podman >/dev/null && command -v buildah >/dev/null && command -v runc >/dev/null && command -v mmdebstrap >/dev/null && \
		command -v iptables >/dev/null && [ -x /usr/lib/podman/netavark ] && [ -x /usr/lib/podman/aardvark-dns ] || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends podman buildah runc mmdebstrap netavark aardvark-dns \
			iptables iproute2; }
	@$(BIN)/python -m tests.support.containers.provide
	@MOORINGS_FULL=1 MOORINGS_CONTAINERS=1 unshare --net sh -c 'ip link set lo up && exec $(BIN)/python -m pytest tests/containers $(ARGS)'

.PHONY: takeover
takeover: $(SETUP_TEST) ## take a Vanguard database over, with Debian's MariaDB and encrypter of Laravel, installed as root where missing
	@command -v php >/dev/null && [ -e /usr/share/php/Illuminate/Encryption/autoload.php ] || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends php-cli php-illuminate-encryption; }
	@[ -x /usr/sbin/mariadbd ] && command -v mysql >/dev/null || { apt-get update -qq && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server; }
	-@[ -e .cache/php-client/vendor/autoload.php ] || [ -n "$$MOORINGS_PHP_CLIENT" ] || { mkdir -p .cache/php-client; \
		command -v composer >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends composer; }; \
		composer require --quiet --no-interaction -d .cache/php-client vanguardbackup/vanguard-php-sdk; }
	@MOORINGS_FULL=1 $(BIN)/python -m pytest -n 2 tests/models/takeover tests/app/cli/test_vanguard.py \
		tests/app/cli/test_compare_vanguard.py $(ARGS)

.PHONY: deploy-tools
deploy-tools: ## install promtool, Caddy and systemd-analyze with apt as root, for the tests of deploy/
	@command -v promtool >/dev/null && command -v caddy >/dev/null && command -v systemd-analyze >/dev/null || \
		{ apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus caddy systemd; }

.PHONY: hostile
hostile: $(SETUP_TEST) ## run the attacks of docs/threat-model.md in full, slowhttptest among them, and print their figures
	@$(BIN)/python -m tests.support.proxies.provide slowhttptest || true
	@MOORINGS_FULL=1 $(BIN)/python -m pytest tests/hostile tests/api/test_secrets_canary.py tests/rest/openapi/test_document.py \
		tests/s3/test_prober_rebinding.py $(ARGS)

.PHONY: reliability
reliability: $(SETUP_TEST) browser nginx faketime ## run the promises of docs/reliability.md in full, in half an hour, and write their figures there
	@exec $(BIN)/python -m tests.support.reliability.run $(ARGS)

.PHONY: soak
soak: $(SETUP_TEST) ## look for leaks under mixed load for 20 minutes; MINUTES=60 looks for an hour
	@MOORINGS_FULL=1 MINUTES=$(or $(MINUTES),20) $(BIN)/python -m pytest $(SOAK) $(ARGS)

.PHONY: failover
failover: $(SETUP_TEST) ## switch over and kill primaries of Debian's Patroni with etcd, installed as root where missing, under load
	@command -v patroni >/dev/null && command -v etcd >/dev/null && [ -x /usr/lib/postgresql/15/bin/postgres ] || \
		{ apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends patroni python3-etcd etcd-server postgresql-15; }
	@MOORINGS_FULL=1 $(BIN)/python -m pytest tests/reliability/test_failover.py tests/reliability/test_patroni.py $(ARGS)

.PHONY: poolers
poolers: $(SETUP_TEST) ## run the tests behind poolers with Debian 13's PgBouncer too, unpacked below .cache
	@newer=$$($(BIN)/python -m tests.support.proxies.newer_pgbouncer) && "$$newer/pgbouncer" --version | head -1 && \
		PATH="$$newer:$$PATH" $(BIN)/python -m pytest tests/reliability/test_poolers.py $(ARGS)

.PHONY: sbom
sbom: $(SETUP) ## write what the gateway is made of to build/moorings.cdx.json, in CycloneDX
	@mkdir -p build
	@$(BIN)/python .ci/sbom.py >build/moorings.cdx.json
	@echo build/moorings.cdx.json

.PHONY: release
release: $(SETUP) ## make wheel, sdist, SBOM and checksums in dist/; VERSION=0.2.0 cuts the changelog and tags too
	@$(BIN)/python explorer/build.py
	@$(BIN)/python .ci/release.py $(VERSION)

.PHONY: digests
digests: ## say how to renew the digests of the images in Dockerfile and docker-compose.yml
	@grep -hoE '[a-z.]+/[a-z/-]+:[a-z0-9.-]+(@sha256:[0-9a-f]{64})?' Dockerfile docker-compose.yml | sort -u | while read -r image; do \
		echo "skopeo inspect --format '{{.Digest}}' docker://$${image%%@*}    # now $${image#*@}"; done

.PHONY: lock
lock: .cache/lock/bin/uv ## pin the requirements anew; ARGS=--upgrade takes newer versions
	@$(LOCK) --extra redis --extra aws-kms --extra otel --group build --output-file requirements.txt pyproject.toml
	@$(LOCK) --extra redis --extra aws-kms --extra otel --group test --constraint requirements.txt --output-file requirements-test.txt pyproject.toml
	@$(LOCK) --group benchmarks --constraint requirements.txt --output-file benchmarks/requirements.txt

.PHONY: clean
clean: ## remove the environment, caches and build output; keeps databases and keys
	@rm -rf .venv .cache .hypothesis build dist *.egg-info explorer/dist* examples/apollo/dist examples/apollo/src/gql $(NODE_MODULES)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: FORCE
FORCE:

$(SETUP): requirements.txt pyproject.toml
	@$(ENVIRONMENT); \
	rm -f $(SETUP) $(SETUP_TEST) && \
	$$pip $(INSTALL) --require-hashes --requirement requirements.txt && \
	$$pip $(INSTALL) --no-deps --no-build-isolation --editable . && \
	touch $(SETUP)

$(SETUP_TEST): $(SETUP) requirements-test.txt
	@$(ENVIRONMENT); \
	rm -f $(SETUP) $(SETUP_TEST) && \
	$$pip $(INSTALL) --require-hashes --requirement requirements-test.txt && \
	touch $(SETUP) $(SETUP_TEST)

.cache/lock/bin/uv:
	@$(FIND_PYTHON); \
	"$$python" -m venv .cache/lock && .cache/lock/bin/python -m pip $(INSTALL) uv

LOCK = UV_CACHE_DIR=.cache/uv .cache/lock/bin/uv pip compile --quiet --universal --generate-hashes --no-header \
	--fork-strategy fewest --python-version 3.11 $(ARGS)

# Sets $python to a Python >= 3.11, or ends with a sentence.
define FIND_PYTHON
python=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$candidate; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Moorings needs Python 3.11 or newer$(if $(PYTHON), and PYTHON=$(PYTHON) is not one,; \
install one or name it with PYTHON=/path/to/python3)." >&2; \
	exit 1; \
fi
endef

# Sets $pip to the command that installs into .venv, which it builds first if it is missing or half-made.
# A Debian without python3-venv has no pip to put into .venv: the system's own installs from outside.
# pip asks rustc for its version, and the rustc of rustup writes settings into HOME unless told where else.
define ENVIRONMENT
export RUSTUP_HOME="$(CURDIR)/.cache/rustup"; \
pip="$(BIN)/python -m pip"; \
if [ ! -e $(SETUP) ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	$(FIND_PYTHON); \
	echo "Making .venv with $$("$$python" -V) ..." >&2; \
	rm -rf .venv; \
	if ! "$$python" -m venv .venv >/dev/null 2>&1; then \
		rm -rf .venv; \
		if ! "$$python" -m venv --without-pip .venv >/dev/null 2>&1; then \
			echo "$$python cannot make virtual environments; install its venv module (python3-venv on Debian)." >&2; \
			exit 1; \
		fi; \
	fi; \
fi; \
if ! $$pip --version >/dev/null 2>&1; then \
	$(FIND_PYTHON); \
	pip="$$python -m pip --python $(BIN)/python"; \
	if ! $$pip --version >/dev/null 2>&1; then \
		echo "$$python has neither its venv module nor pip; install one of them (python3-venv on Debian)." >&2; \
		exit 1; \
	fi; \
fi
endef
