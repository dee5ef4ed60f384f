# Every target sets up what it needs in .venv, with nothing but Python >= 3.11, pip and make, and without root.
# The files .venv/has-* say what is installed there; a changed pyproject.toml makes it install again.

PYTHON ?= python3
NEWER = python3.14 python3.13 python3.12 python3.11
VENV_PYTHON = .venv/bin/python
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

# A user's own settings for pip are for other folders than .venv.
export PIP_USER = 0
export PIP_REQUIRE_VIRTUALENV = 0

help:
	@echo 'make demo          the whole story on real health data: out/index.html, a page to read, and model files'
	@echo 'make test          the tests, on all cores'
	@echo 'make coverage      the tests, with what of the package they run'
	@echo 'make nightly       the long hunts, and every test with new random draws'
	@echo 'make test-oracles  Keras itself against its numbers that the tests keep (installs Keras and JAX; takes long)'
	@echo 'make test-gpu-less  the GPU backend as far as a machine without a GPU can prove it (installs CuPy and NVRTC)'
	@echo 'make lint          style and types'
	@echo 'make notebooks     execute every notebook, every cell'
	@echo 'make docs          the documentation site, into site/: every formula proven and timed while its page is made'
	@echo 'make clean         remove all that these made, .venv and out included'

demo: .venv/has-demo
	@$(VENV_PYTHON) -m tinynet demo

test: .venv/has-dev
	@$(VENV_PYTHON) -m pytest -n auto --dist loadfile

# Tracing takes as long again as the tests.
coverage: .venv/has-dev
	@$(VENV_PYTHON) -m pytest -n auto --dist loadfile --cov=tinynet --cov-report=term-missing:skip-covered --cov-fail-under=94

nightly: .venv/has-dev
	@TINYNET_HUNT=1 $(VENV_PYTHON) -m pytest -m 'nightly or not nightly'

# Keras itself, live, against the numbers that the tests keep of it.
test-oracles: .venv/has-oracles
	@for script in curves defaults fit scripts; do KERAS_BACKEND=jax $(VENV_PYTHON) tests/oracles/keras_$$script.py || exit 1; done

# Every kernel through NVIDIA's compiler, for every architecture: needs CuPy and NVRTC, but neither GPU nor driver.
test-gpu-less: .venv/has-gpu-less
	@$(VENV_PYTHON) -m pytest tests/backends/test_device_*.py
	@$(VENV_PYTHON) -m tinynet gpu-check || test $$? -eq 1

lint: .venv/has-dev
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check
	@$(VENV_PYTHON) -m mypy

# Executed in memory: a notebook in the repository stays as its author left it.
notebooks: .venv/has-dev
	@$(VENV_PYTHON) -c 'from nbclient.cli import main; main()' notebooks/*.ipynb notebooks/zh/*.ipynb

# --strict: a link that leads nowhere, or a page without its place, is an error.
docs: .venv/has-docs
	@NO_MKDOCS_2_WARNING=1 $(VENV_PYTHON) -m mkdocs build --strict --quiet
	@echo 'Open site/index.html in a browser; nothing in it needs the network.'

clean:
	rm -rf .venv out site build dist .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/has-demo: .venv/has-pip pyproject.toml
	@echo 'Installing NumPy, scikit-learn and packages with health data into .venv (the first time takes about a minute) ...'
	@$(VENV_PYTHON) $(PIP_INSTALL) --editable '.[demo]'
	@touch $@

.venv/has-dev: .venv/has-pip pyproject.toml
	@echo 'Installing the tools for the tests into .venv (the first time takes about a minute) ...'
	@$(VENV_PYTHON) $(PIP_INSTALL) --editable '.[dev]'
	@touch $@

.venv/has-docs: .venv/has-pip pyproject.toml
	@echo 'Installing mkdocs-material into .venv ...'
	@$(VENV_PYTHON) $(PIP_INSTALL) --editable '.[docs]'
	@touch $@

.venv/has-oracles: .venv/has-dev
	@echo 'Installing Keras and JAX into .venv ...'
	@$(VENV_PYTHON) $(PIP_INSTALL) --editable '.[oracles]'
	@touch $@

.venv/has-gpu-less: .venv/has-dev
	@echo 'Installing CuPy and NVRTC into .venv ...'
	@$(VENV_PYTHON) $(PIP_INSTALL) --editable '.[gpu-less]'
	@touch $@

# A Python without ensurepip (Debian's, without python3-venv) makes an environment without pip. The pip outside can put
# a pip into it: --target is allowed where the system's own packages are "externally managed", and every pip has it.
.venv/has-pip: $(VENV_PYTHON)
	@for python in '$(PYTHON)' $(NEWER) none; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ "$$python" = none ]; then \
	  echo 'tinynet needs Python 3.11 or newer, and found none: install it, or name it as in "make PYTHON=/path/to/python3.12 test".' >&2; \
	  exit 1; \
	fi; \
	echo "Making .venv with $$("$$python" --version) ..."; \
	"$$python" -m venv --clear .venv >/dev/null 2>&1 || { \
	  "$$python" -m venv --clear --without-pip .venv || exit 1; \
	  if ! "$$python" -m pip --version >/dev/null 2>&1; then \
	    echo "tinynet needs pip, and $$python has none: install pip for it (on Debian: python3-pip)." >&2; \
	    exit 1; \
	  fi; \
	  "$$python" $(PIP_INSTALL) \
	    --target "$$($(VENV_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" pip || exit 1; \
	}
	@touch $@

# No recipe: where this file is missing, or newer because Python was upgraded, the rule above makes .venv anew.
$(VENV_PYTHON):

.PHONY: help demo test coverage nightly test-oracles test-gpu-less lint notebooks docs clean
.NOTPARALLEL:
