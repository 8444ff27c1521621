# make book   build the book        make test   prove every number in it        make help   the rest
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help book test weekly nbval refresh front lint links bench bench-gpu course grade slides serve vendor site clean

help:
	@echo "make book     build the book into _build/html (installs only what rendering needs)"
	@echo "make test     library tests in three legs, doctests, then every notebook run and compared"
	@echo "make weekly   what is too long for every push: contrast in every view, labs on old versions, random orders, the store at full size, Python 3.11 to 3.13"
	@echo "make refresh  run the notebooks and store their outputs (NB=notebooks/patches.ipynb for one)"
	@echo "make front    put the explorables of today into the stored outputs, without running anything"
	@echo "make lint     ruff over code and notebooks"
	@echo "make bench    benchmarks of this machine's CPU; make bench-gpu: of its GPU"
	@echo "make course   assignments to hand out and to grade (MASTERS=folder, SEED=text or folder/seed.txt, OUT=build/course)"
	@echo "make grade    mark a folder of submissions (FOLDER=folder, KEY=build/course/NAME/autograder/key.json)"
	@echo "make slides   one deck a chapter from its own figures, into build/slides"
	@echo "make serve    the built book at http://localhost:$(PORT)"
	@echo "make site     open every page of the built book in Chromium and check it"
	@echo "make links    write the repository's address (_config.yml) into every badge and link"
	@echo "make vendor   fetch MathJax and fonts again (needs Node)"
	@echo "make clean    remove what was built (keep the environment: rm -r $(VENV) for that)"

# One environment, filled in two steps. A stamp holds the hash of what it was made from, so nothing is installed twice.
WANT := $(shell cat requirements.txt pyproject.toml 2>/dev/null | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
RENDER_STAMP := $(VENV)/.render-$(WANT)
FULL_STAMP := $(VENV)/.full-$(WANT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "mmtokedu needs Python 3.11 or newer; $$($(PYTHON) --version 2>&1 || echo '$(PYTHON) was not found'). Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "== creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RENDER_STAMP): $(VENV)/bin/python
	@echo "== installing what rendering needs (about a minute, once)"
	@sed -n '/^# render/,/^# run/p' requirements.txt > $(VENV)/render.txt
	@$(BIN)/python -m pip install --disable-pip-version-check -q -r $(VENV)/render.txt \
	  || { echo "The installation failed. Is the network there? Then try again; to start afresh: rm -r $(VENV)"; exit 1; }
	@touch $@

$(FULL_STAMP): $(RENDER_STAMP)
	@echo "== installing what running and testing needs (a few minutes and 1.5 GB, once; skipped until the requirements change)"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt -e . | grep -E --line-buffered '^(Collecting|Installing|ERROR)' | cut -c1-100; \
	  test $${PIPESTATUS[0]} -eq 0 || { echo "The installation failed. Is the network there? Then try again; to start afresh: rm -r $(VENV)"; exit 1; }
	@touch $@

book: $(RENDER_STAMP)
	@echo "== building the book from the stored, verified outputs (warnings are errors)"
	@$(BIN)/jupyter-book build . -W -n --keep-going $(if $(ALL),--all) \
	  || { echo "The book did not build: the first WARNING above names file and line."; exit 1; }
	@test -s _build/html/index.html && test -s _build/html/notebooks/patches.html
	@echo; echo "Open _build/html/index.html in a browser (make serve, for search too)."

test: $(FULL_STAMP)
	@BIN=$(BIN) .ci/legs lint numpy torch interpreter doctests notebooks
	@echo; echo "Every compared output of every notebook was computed again and agrees. To read the book: make book"

weekly: $(FULL_STAMP)
	@BIN=$(BIN) .ci/legs book contrast oldlabs random cache python311 python312 python313
	@echo; echo "Every pinned version, every order and every supported Python agrees."

nbval: $(FULL_STAMP)
	@BIN=$(BIN) .ci/legs notebooks

refresh: $(FULL_STAMP)
	@$(BIN)/python tools/refresh.py $(NB)
	@echo "Stored. Look at the difference (git diff --stat), then: make book"

front: $(FULL_STAMP)
	@$(BIN)/python tools/refresh.py --front

lint: $(FULL_STAMP)
	@BIN=$(BIN) .ci/legs lint

links: $(FULL_STAMP)
	@$(BIN)/python tools/links.py $(URL)

bench: $(FULL_STAMP)
	@for b in benchmarks/bench_*.py; do $(BIN)/python $$b || exit 1; done

bench-gpu: $(FULL_STAMP)
	@for b in benchmarks/bench_*.py; do $(BIN)/python $$b --gpu || exit 1; done

course: $(VENV)/bin/python
	@BIN=$(BIN) MASTERS="$(MASTERS)" SEED="$(SEED)" OUT="$(OUT)" .ci/legs kit
	@echo; echo "To grade: make grade FOLDER=... KEY=$(or $(OUT),build/course)/NAME/autograder/key.json"

grade:
	@test -n "$(FOLDER)" -a -n "$(KEY)" || { echo "make grade FOLDER=submissions KEY=build/course/NAME/autograder/key.json"; exit 1; }
	@test -x .venv-course/bin/python || { echo "There is no kit yet: make course"; exit 1; }
	@.venv-course/bin/python -m mmtokedu.course grade "$(FOLDER)" --key "$(KEY)" $(ARGS)

slides: $(VENV)/bin/python
	@BIN=$(BIN) .ci/legs slides

serve:
	@test -s _build/html/index.html || { echo "Nothing to serve yet: make book"; exit 1; }
	@echo "http://localhost:$(PORT) (stop with Ctrl+C)"
	@$(PYTHON) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

site: $(FULL_STAMP)
	@BIN=$(BIN) .ci/legs site

vendor: $(RENDER_STAMP)
	@$(BIN)/python tools/vendor.py

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -r {} +
	@echo "Clean. The environment stays in $(VENV)."
