"""The documentation site: every formula has its page, a page is the function itself, and every example runs."""

import doctest
import inspect
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_packaging import ROOM, ROOMS

import tinynet as tn
from tinynet.activations import ACTIVATIONS
from tinynet.formulas import activations, losses, rows, updates
from tinynet.losses import LOSSES
from tinynet.optimizers import OPTIMIZERS

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
pytest.importorskip("matplotlib")

import formula_page
import formula_speed
import notebook_page
import offline_search
import reference
import rooms_picture

ROOT = Path(__file__).parents[2]
SAMPLE = [activations.gelu, activations.softmax, losses.huber, losses.sparse_categorical_crossentropy, updates.adam]
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))


def registered():
    """Every function that a name in a model can lead to."""
    named = [*ACTIVATIONS.values()]
    for name in LOSSES.known:
        loss = LOSSES.make(name)
        named += [loss.f.function, *(getattr(loss, "fusion", None) or ())]
    for made in OPTIMIZERS.known.values():
        named.append(made().rule.function)
    return named


def test_every_registered_formula_has_a_page():
    pages = formula_page.formulas()
    assert len(registered()) > 30
    assert not {f.__name__ for f in registered() if f not in pages}
    assert len({formula_page.page_path(f) for f in pages}) == len(pages) > 40


def test_every_function_of_the_formulas_stands_on_a_page():
    shown = {g for f in formula_page.formulas() for g in (f, formula_page.backward(f))}
    for module in (activations, losses, rows, updates):
        for f in vars(module).values():
            assert not (inspect.isfunction(f) and f.__module__ == module.__name__) or f in shown, f.__name__


@pytest.mark.parametrize("f", SAMPLE, ids=lambda f: f.__name__)
def test_a_page_is_the_function_itself(f, monkeypatch):
    pytest.importorskip("latex2mathml")
    monkeypatch.setattr(formula_page, "speeds", lambda f: (1.0, None))
    text, svg = formula_page.page(f)
    back = formula_page.backward(f)
    for g in filter(None, (f, back)):
        assert inspect.getsource(g).rstrip() in text
    formulas = re.findall(r"<math.*?</math>", text)
    assert formulas
    for formula in formulas:
        ElementTree.fromstring(formula)
    ElementTree.fromstring(svg)
    assert back is None or re.search(r"relative error \d\.\de-(0[89]|1\d)\*\*", text)
    assert "not installed" in text  # what monkeypatch says of numba
    assert "not yet run on a GPU" in text


@pytest.mark.parametrize("f", formula_page.formulas(), ids=lambda f: f.__name__)
def test_every_page_proves_its_function(f, monkeypatch):
    """Update rules and parts of formulas, too, which have no derivative."""
    monkeypatch.setattr(formula_page, "check", lambda f: None)  # the derivatives' proofs are tested elsewhere
    text = formula_page.proof(f)
    assert re.search(r"relative error (0\.0e\+00|\d\.\de-1[5-9])\*\* over \d\d", text)
    assert f"def {f.__name__}(" in text  # the definition, for the reader to judge


def test_what_a_definition_calls_is_shown_with_it():
    names = [g.__name__ for g in formula_page.definition(updates.adam)]
    assert names == ["adam_step", "adam", "averages", "adam_steps"]
    assert [g.__name__ for g in formula_page.definition(updates.sgd)] == ["sgd"]


def test_a_wrong_rule_makes_no_page(monkeypatch):
    monkeypatch.setattr(formula_page, "agreement", lambda f: (1e-3, 80))
    with pytest.raises(ValueError, match=r"adam is not its definition in .*decimal_oracles.py: error 1.0e-03"):
        formula_page.proof(updates.adam)


@pytest.mark.parametrize("book", notebook_page.notebooks(), ids=lambda book: book.relative_to(ROOT / "notebooks"))
def test_a_notebook_is_a_page(book):
    pytest.importorskip("nbconvert")
    pytest.importorskip("latex2mathml")
    text, pictures = notebook_page.page(book)
    assert re.match(rf"# 0\d · .+\n\n\[(Download the notebook|下载这个笔记本)\]\({book.name}\)", text)
    for path, picture in pictures.items():
        assert picture[:4] in (b"\x89PNG", b"<svg")
        assert f"]({'/'.join(Path(path).parts[-2:])})" in text
    assert len(pictures) >= 2
    prose = notebook_page.CODE.sub("", text)
    assert "$" not in prose  # all mathematics is set
    assert ".ipynb)" not in text.replace(f"({book.name})", "", 1)
    for formula in re.findall(r"<math.*?</math>", text):
        ElementTree.fromstring(formula)
    assert '<details markdown="1">' in text


def test_mathematics_stays_out_of_code():
    text = "a $x^2$ and `$x$`\n\n    print $y$\n\n```sh\necho $HOME $PATH\n```\n\n$$\nz\n$$\n"
    made = notebook_page.with_mathematics(text)
    assert made.count("<math") == 2
    assert "`$x$`\n\n    print $y$\n\n```sh\necho $HOME $PATH\n```" in made


def test_formulas_side_by_side_can_be_broken_between_them():
    assert formula_page.parts_of(r"z = x W, \qquad a = f(z)") == ["z = x W,", "a = f(z)"]
    cases = r"\begin{cases} 1 & \quad z > 0 \end{cases}"
    assert formula_page.parts_of(cases) == [cases]


def test_links_between_notebooks_lead_to_pages():
    assert notebook_page.as_pages("[02](02_x.ipynb), [06](../06_y.ipynb)") == "[02](02_x.md), [06](../06_y.md)"
    assert all((ROOT / notebook_page.path_of(book)).with_suffix(".ipynb") == book for book in notebook_page.notebooks())
    for f, stem in formula_page.TAUGHT.items():
        assert (ROOT / "notebooks" / f"{stem}.ipynb").is_file(), f


def test_the_search_needs_no_other_server(tmp_path):
    workers = tmp_path / "assets" / "javascripts" / "workers"
    pages = [tmp_path / "index.html", tmp_path / "a" / "b" / "page.html"]
    for folder in (workers, tmp_path / "search", pages[1].parent):
        folder.mkdir(parents=True)
    (workers / "search.0123.min.js").write_text('say("a")', encoding="utf-8")
    for page in pages:
        page.write_text(f"<head>{offline_search.FOREIGN}</head>", encoding="utf-8")
    offline_search.put_into(tmp_path)
    assert pages[0].read_text(encoding="utf-8") == '<head><script src="search/worker.js"></script></head>'
    assert '<script src="../../search/worker.js">' in pages[1].read_text(encoding="utf-8")
    assert r'const source = "say(\"a\")";' in (tmp_path / "search" / "worker.js").read_text(encoding="utf-8")
    pages[0].write_text('<script src="https://unpkg.com/other">', encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.html still loads a script from another server"):
        offline_search.put_into(tmp_path)


def test_a_wrong_derivative_makes_no_page(monkeypatch):
    def off(z, a):
        return 1.0005 * true(z, a)

    true = activations.gelu.derivative
    monkeypatch.setattr(activations.gelu, "derivative", off)
    with pytest.raises(tn.GradientError, match="wrong"):
        formula_page.check(activations.gelu)


def test_a_wrong_loss_makes_no_page(monkeypatch):
    def off(y, t, *, delta=1.0):
        return 1.0005 * (y - t)

    monkeypatch.setattr(losses.huber, "derivative", off)
    with pytest.raises(tn.GradientError, match="the loss is wrong"):
        formula_page.check(losses.huber)


def test_speed_is_that_of_the_formula():
    by_numpy, by_numba = formula_speed.speeds(activations.sigmoid)
    assert 0.0 < by_numpy < 1000.0
    if not formula_speed.missing("numba"):
        assert 0.0 < by_numba < 1000.0


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path, monkeypatch):
    if "pandas" in path.read_text(encoding="utf-8"):
        pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(path), module_relative=False)
    assert result.failed == 0
    written = path.read_text(encoding="utf-8").count("\n>>> ")
    assert result.attempted >= written
    assert written or path.stem in ("your-own-table", "medical-records")  # their commands need files of the reader's


def test_the_picture_of_the_rooms_is_drawn_from_the_list_and_the_imports():
    assert rooms_picture.rooms() == ROOMS
    counted = rooms_picture.known_by(ROOMS)
    assert counted[ROOM["layers"], ROOM["formulas"]] >= 5
    assert all(imported <= importer or importer == ROOM["__init__"] for importer, imported in counted)
    svg = rooms_picture.picture()
    ElementTree.fromstring(svg)
    assert all(name in svg for names in ROOMS for name in names if not name.startswith("__"))


@pytest.mark.parametrize("name", reference.PAGES)
def test_reference_has_everything_public(name):
    if name.startswith("tinynet.tabular"):
        pytest.importorskip("sklearn")
    text = reference.page(name)
    things = reference.public(sys.modules[name])
    assert things
    for label, thing in things:
        assert f"\n## {label} {{" in text
        assert thing.__doc__, label
    assert "-------" not in text.replace("|---", "")  # every heading of a docstring was understood


def test_a_docstring_as_markdown():
    def f(x, *, rate=0.5):
        """What it does, x_1 * x_2.

        Parameters
        ----------
        x, rate : numbers
            of any size

        Raises
        ------
        ValueError : for `None`

        >>> 1 + 1
        2
        """

    text = reference.entry("f", f)
    assert "f(x, *, rate = 0.5)" in text
    assert r"What it does, x\_1 \* x\_2." in text
    assert "- `x`, `rate`: numbers of any size\n" in text
    assert "- `ValueError`: for `None`\n\n```python\n>>> 1 + 1\n2\n```" in text


def test_a_formula_that_calls_is_a_part_of_its_caller():
    assert losses.softplus in formula_page.called_by(losses.binary_crossentropy_from_logits)
    assert formula_page.check(losses.held_inside) is None
    assert "[binary_crossentropy](../losses/binary_crossentropy.md)" in formula_page.unproven(losses.held_inside)
