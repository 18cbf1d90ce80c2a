# Two commands matter: `make serve` and `make test`. The rest are for those who change Lorgnette.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON := $(CURDIR)/$(BIN)/python

PLAYGROUND := playground/node_modules/.package-lock.json

.PHONY: serve dev test test-long soak check audit docs playground check-playground lock openapi train-avatars train-faces bench bench-curves bench-lock clean

serve: $(VENV)/serve.stamp  ## serve the bundled checkpoint on port 8000
	$(BIN)/python -m app

dev: $(VENV)/dev.stamp  ## install what training, benchmarks and tests need

test: $(VENV)/dev.stamp  ## the whole suite, apart from what takes minutes
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-long: $(VENV)/dev.stamp  ## the tests that take minutes, such as the harness of the benchmarks
	$(BIN)/python -m pytest -m long

soak: $(VENV)/dev.stamp  ## faults at random times, and a minute of overload: seven minutes when idle
	$(BIN)/python -m tests.soak $(or $(SOAK),--out benchmarks/results/soak.json)

check: $(VENV)/dev.stamp audit check-playground  ## format, lint, types, security, container files, advisories
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit -c pyproject.toml -q -r app vae training client benchmarks examples
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(MAKE) --no-print-directory docs

docs: $(VENV)/dev.stamp  ## the documentation as a site in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

audit: $(VENV)/dev.stamp  ## known vulnerabilities of what serves, where a source of them is reachable
	$(BIN)/python .ci/audit.py $(BIN)/pip-audit -r requirements.lock --disable-pip --require-hashes --timeout 5

playground: $(PLAYGROUND)  ## bundle the page into app/http/playground; needs Node.js 18 or later
	npm --prefix playground run build

check-playground:  ## format, types and unit tests of the page, and that its bundle is of its sources
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(PLAYGROUND) && \
	  npm --prefix playground run --silent check; \
	else echo "playground: NOTHING was checked: npm is not installed"; fi

lock: $(VENV)/bin/uv  ## resolve the dependencies of pyproject.toml; UPGRADE=--upgrade for newer ones
	$(BIN)/uv pip compile $(LOCK) $(UPGRADE) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) $(UPGRADE) --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock

openapi: $(VENV)/dev.stamp  ## write openapi.json from the live application
	$(BIN)/python -m app.server.openapi_document > openapi.json

train-avatars: $(VENV)/dev.stamp  ## draw the avatars and train models/avatars from them
	$(BIN)/python -m training avatars --out data/avatars -n 8000
	$(BIN)/python -m training fit --preset avatars --data data/avatars --out models/avatars

DATA ?= data/faces.zip
FACES := --data $(DATA) --classifier runs/classifier.safetensors
STAGE := $(FACES) --auxiliary-classifier runs/auxiliary.safetensors
UTKFACE := UTKFace: non-commercial research use only; copyright of each image stays with its owner
PRIVATE := --private --licence "$(UTKFACE)"

train-faces: $(VENV)/dev.stamp  ## train models/faces and its baselines from DATA=faces.zip; hours
	$(BIN)/python -m training classifier --data $(DATA) --out runs/classifier.safetensors \
	  --network face-resnet
	$(BIN)/python -m training classifier --data $(DATA) --out runs/auxiliary.safetensors \
	  --labels glasses --seed 101 --epochs 2
	$(BIN)/python -m training baseline pca --data $(DATA) --out models/faces/baselines.json
	$(BIN)/python -m training baseline tutorial $(FACES) --out models/faces/baselines.json
	$(BIN)/python -m training fit --preset faces $(FACES) \
	  --out runs/out/faces-stage1 --run runs/faces-stage1 $(PRIVATE)
	$(BIN)/python -m training fit --preset faces-stage2 --init-from runs/out/faces-stage1 $(STAGE) \
	  --out runs/out/faces-stage2 --run runs/faces-stage2 $(PRIVATE)
	$(BIN)/python -m training fit --preset faces-stage3 --init-from runs/out/faces-stage2 $(STAGE) \
	  --out runs/out/faces-stage3 --run runs/faces-stage3 $(PRIVATE)
	$(BIN)/python -m training fit --preset faces-stage4 --init-from runs/out/faces-stage3 $(STAGE) \
	  --out runs/out/faces-stage4 --run runs/faces-stage4 $(PRIVATE)
	$(BIN)/python -m training align-template --model runs/out/faces-stage4 --data $(DATA)
	$(BIN)/python -m training fit --preset faces-sharp --init-from runs/out/faces-stage4 $(FACES) \
	  --out runs/out/faces-sharp --run runs/faces-sharp $(PRIVATE)
	$(BIN)/python -m training fit --preset faces-sharp-stage2 --init-from runs/out/faces-sharp \
	  $(FACES) --out runs/out/faces-sharp2 --run runs/faces-sharp2 $(PRIVATE)
	$(BIN)/python -m training average-detail --models runs/out/faces-sharp2 runs/out/faces-sharp \
	  --gain 1.2 --out models/faces
	$(BIN)/python -m training evaluate --model models/faces $(FACES) --private
	$(BIN)/python -m training fit --preset faces-100 --init-from runs/out/faces-stage4 $(STAGE) \
	  --out runs/out/faces-100 --run runs/faces-100 $(PRIVATE)
	$(BIN)/python -m training classifier --data $(DATA) --out models/faces/auxiliary_classifier.safetensors \
	  --network convnet --labels glasses male --seed 101 --epochs 4 --weights fp16
	$(BIN)/python -m training card --model models/faces --compare-with runs/out/faces-100

COMPARED := litserve bentoml ray codecs

bench: $(VENV)/dev.stamp $(COMPARED:%=$(VENV)/bench/%.stamp)  ## compared with other systems: benchmarks/README.md
	$(BIN)/python -m benchmarks compare $(BENCH)

bench-curves: $(VENV)/dev.stamp  ## what Lorgnette costs as it grows
	$(BIN)/python -m benchmarks curves $(BENCH)

bench-lock: $(VENV)/bin/uv requirements.lock  ## the same for the other systems, with our PyTorch
	grep -E '^(isal|numpy|pillow|safetensors|torch)==' requirements.lock | tr -d '\\' > $(VENV)/shared.txt
	for name in $(COMPARED); do $(BIN)/uv pip compile $(LOCK) $(UPGRADE) -c $(VENV)/shared.txt \
	  benchmarks/requirements/$$name.in -o benchmarks/requirements/$$name.lock || exit 1; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache playground/node_modules playground/.tests

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/serve.stamp: requirements.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/bench/%.stamp: benchmarks/requirements/%.lock | $(BIN)/uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/bench/$*
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(VENV)/bench/$*/bin/python \
	  --require-hashes -r $<
	@touch $@

$(PLAYGROUND): playground/package-lock.json
	npm --prefix playground ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
