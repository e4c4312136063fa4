# Needs Python 3.11, make and git; everything else goes into .venv. `make` alone lists the targets.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
OLDEST := .venv-oldest
IN     := $(VENV)/bin
ARGS   ?=# more overrides for `make demo` and `make reproduce-...`, such as ARGS="trainer.epochs=5 seed=1"
DIR    ?=# where the images of a dataset are, such as DIR=PATH/Dataset_BUSI_with_GT
TESTS  ?=# more options for pytest, such as TESTS="-k losses -x"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo reproduce-quick reproduce-notebook-bus reproduce-notebook-pets reproduce-fixed-vs-dynamic \
	reproduce-auxiliary reproduce-cbdice reproduce-ablation reproduce-busi reproduce-recipe \
	test test-fast coverage lint format test-oldest docs wheel lock clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-27s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.ready ## install, train on the embedded dataset, print where the results are
	$(IN)/dmf train loss=cbdice+bce $(ARGS)

# Sweeps of conf/experiment, which say more. The same target again skips what is done and ends with the comparison.
sweep = $(IN)/dmf train -m experiment=$(1) $(if $(DIR),"dataset.dir=$(DIR)") $(ARGS)

reproduce-quick: $(VENV)/.ready ## fixed against var, mad, bayes on the phantom, 2 seeds; 6 minutes on 2 cores, 4 on a GPU (an estimate)
	$(call sweep,reproduce_quick)

reproduce-notebook-bus: $(VENV)/.ready ## the notebook on BUS Synthetic (DIR=PATH), var and fixed; 40 minutes on 2 cores, 5 on a GPU (an estimate)
	$(call sweep,reproduce_notebook_bus)

reproduce-notebook-pets: $(VENV)/.ready ## the notebook on Oxford-IIIT Pet, var and fixed; 6 hours on 2 cores, 30 minutes on a GPU (an estimate)
	$(call sweep,reproduce_notebook_pets)

reproduce-fixed-vs-dynamic: $(VENV)/.ready ## 6 strategies, 8 seeds, any dataset (ARGS="dataset=busi" DIR=PATH); 5 hours on 2 cores, 40 minutes on a GPU (an estimate, for the phantom)
	$(call sweep,reproduce_fixed_vs_dynamic)

reproduce-auxiliary: $(VENV)/.ready ## no auxiliary loss, CB-Dice that hardly fades, that fades, that is light; 10 minutes on 2 cores, 5 on a GPU (an estimate)
	$(call sweep,reproduce_auxiliary)

reproduce-cbdice: $(VENV)/.ready ## CB-Dice against Dice, generalised Dice, focal under rising imbalance; 35 minutes on 2 cores, 20 on a GPU (an estimate)
	$(call sweep,reproduce_cbdice)

reproduce-ablation: $(VENV)/.ready ## warm-up, window and prior power of bayes; 20 minutes on 2 cores, 10 on a GPU (an estimate)
	$(call sweep,reproduce_ablation)

reproduce-busi: $(VENV)/.ready ## fixed, random, var, mad, bayes on BUSI (DIR=PATH), 8 seeds; 45 minutes on 2 cores, 20 on a GPU (an estimate)
	$(call sweep,busi_strategies)

# What is left out of recipe=strong, or added to it, one at a time; it is judged by the validation images.
PARTS := model.pretrained=false model.filters=16 augment=affine augment=nnunet augment.cutmix=0.5 schedule=constant \
	optimizer.weight_decay=0 optimizer.ema=0.98 optimizer.encoder_rate=0.1 optimizer.frozen=0.1 trainer.deep_supervision=auto
recipes := outputs/reproduce/recipe

reproduce-recipe: $(VENV)/.ready-pretrained ## quick, standard, strong on five folds of BUSI (DIR=PATH), and the parts of strong; 9 hours on 2 cores, 1 on a GPU (an estimate)
	$(call sweep,reproduce_recipe)
	$(call sweep,reproduce_recipe) recipe=quick seed=1,2 sweep.compare=false
	$(call sweep,reproduce_recipe) recipe=strong model.pretrained=false sweep.compare=false
	$(IN)/dmf compare $(recipes) --by recipe,model.pretrained
	$(call sweep,reproduce_recipe_parts)
	for part in $(PARTS); do $(call sweep,reproduce_recipe_parts) "$$part" || exit $$?; done
	for run in $(recipes)-parts/*/*/; do \
		test -e "$$run/metrics/val_summary.json" || $(IN)/dmf eval "$$run" split=val > "$$run/val.log" || exit $$?; done
	$(IN)/dmf compare $(recipes)-parts --split val

test: lint ## install with the test tools, check style and types, run every test that can run here
	$(IN)/python -m slipcover -m pytest -n auto --dist worksteal $(TESTS)
	@$(IN)/python scripts/covered.py

coverage: $(VENV)/.ready-dev ## list the lines that the last `make test` did not run
	@$(IN)/python scripts/covered.py --missing

test-fast: $(VENV)/.ready-dev ## run one case of each quick test, without coverage: for while you work
	$(IN)/python -m pytest -n auto --dist worksteal -p tests.one_case_each -m "not slow" $(TESTS)

lint: $(VENV)/.ready-dev ## check style and format (ruff), types (mypy) and imports (import-linter)
	$(IN)/python -m ruff check --quiet
	$(IN)/python -m ruff format --check --quiet
	$(IN)/python -m mypy
	$(IN)/lint-imports --no-logo --no-cache

format: $(VENV)/.ready-dev ## format the code and mend what can be mended
	$(IN)/python -m ruff check --fix
	$(IN)/python -m ruff format

test-oldest: $(OLDEST)/.ready-dev ## run the tests with the oldest supported versions, in .venv-oldest
	$(OLDEST)/bin/python -m pytest -n auto $(TESTS)

docs: $(VENV)/.ready-docs ## fill the generated pages of docs/ and build the site into build/site; a broken link ends it
	$(IN)/python scripts/reference.py
	NO_MKDOCS_2_WARNING=1 $(IN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

wheel: $(VENV)/.ready-dev ## build the wheel into dist/
	$(IN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

lock: $(VENV)/.ready-dev ## write requirements.lock again, with today's versions
	$(IN)/python scripts/lock.py

clean: ## remove what builds and checks leave behind (never outputs/)
	rm -rf build dist .coverage.json .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find conf dmf_cli scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environments as well
	rm -rf $(VENV) $(OLDEST)

# $(call install,FOLDER,LOCK,WHAT): a stamp is written at the very end only, and an installation that
# was interrupted is started afresh: pip cannot tell a half-copied package from a whole one.
define install
	@test ! -e $(1)/.installing || { echo "the last installation into $(1) was interrupted: starting afresh"; rm -rf $(1); }
	@test -n "$(PYTHON)" || { echo "no python3.11 found: install it, or say make PYTHON=/path/to/python"; exit 2; }
	@test -x $(1)/bin/python || echo "installing into $(1) (once; TensorFlow is large)"
	@mkdir -p $(1) && touch $(1)/.installing
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check -c $(2) -e "$(3)"
	@rm -f $(1)/.installing
endef

$(VENV)/.ready: pyproject.toml requirements.lock
	$(call install,$(VENV),requirements.lock,.)
	@touch $@

$(VENV)/.ready-dev: pyproject.toml requirements.lock
	$(call install,$(VENV),requirements.lock,.[dev])
	@touch $(VENV)/.ready $@

$(VENV)/.ready-pretrained: pyproject.toml requirements.lock
	$(call install,$(VENV),requirements.lock,.[pretrained])
	@touch $(VENV)/.ready $@

$(VENV)/.ready-docs: pyproject.toml requirements.lock
	$(call install,$(VENV),requirements.lock,.[docs])
	@touch $(VENV)/.ready $@

$(OLDEST)/.ready-dev: pyproject.toml requirements-oldest.txt
	$(call install,$(OLDEST),requirements-oldest.txt,.[dev])
	@touch $@
