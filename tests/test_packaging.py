"""The shape of the package: its rooms know each other in one direction, importing it is light, its wheel is small."""

import ast
import email
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinynet"

# A module knows its own room and those above it. Every module and folder of tinynet/ stands here once.
ROOMS = [
    ("formulas",),
    ("settings", "arrays", "registry", "random", "operations", "activations", "regularizers"),
    ("recorder", "costs", "mathematics", "plain", "chain"),
    ("schedules", "initializers", "losses", "optimizers", "layers"),
    ("network", "step", "training", "prediction"),
    ("program",),
    ("backends",),
    (
        "data",
        "batches",
        "metrics",
        "callbacks",
        "progress",
        "stack",
        "fitting",
        "checked",
        "kinks",
        "gradcheck",
        "explain_step",
        "drawing",
        "graph",
    ),
    ("persistence",),
    ("compiled",),
    ("model", "model_file", "models", "utils", "proof", "gpu_check"),
    ("__init__",),  # `import tinynet`, the public face: it gathers from every room, and only its users below import it
    ("tabular", "demo", "bench"),
    ("cli", "__main__"),
]
ROOM = {module: number for number, modules in enumerate(ROOMS) for module in modules}
SOURCES = sorted(PACKAGE.rglob("*.py"))
CORE = sys.stdlib_module_names | {"numpy", "tinynet"}
# Functions that numba compiles must see it, so these modules import it first thing, and are imported when asked for.
COMPILED = {path: {"numba", "llvmlite"} for path in PACKAGE.glob("backends/numba_*.py")}
# An estimator is a subclass of scikit-learn's classes, so these modules too are imported when asked for.
ESTIMATORS = {
    PACKAGE / "tabular" / f"{name}.py": {"sklearn"} for name in ("estimator", "classifier", "regressor", "filled")
}
NEEDED_FIRST = COMPILED | ESTIMATORS

IMPORT_LIMIT_SECONDS = 0.015
WHEEL_LIMIT_BYTES, ENGINE_LIMIT_BYTES = 500_000, 230_000


def first_part(path: Path) -> str:
    """`layers` for tinynet/layers.py, `formulas` for tinynet/formulas/losses.py, `__init__` for tinynet/__init__.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def executed(tree: ast.AST, *, in_functions: bool) -> Iterator[ast.AST]:
    """The nodes that are executed, without what only a type checker reads, with or without the bodies of functions."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        yield child
        yield from executed(child, in_functions=in_functions)


def imports(path: Path, *, in_functions: bool) -> Iterator[tuple[str, str]]:
    """Every imported dotted name with its file and line; relative ones made absolute, `from a import b` as `a.b`."""
    folder = path.relative_to(ROOT).parent.parts
    for node in executed(ast.parse(path.read_bytes()), in_functions=in_functions):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = folder[: len(folder) - node.level + 1] if node.level else ()
            base = [*start, *(node.module or "").split(".")]
            names = [".".join([*filter(None, base), alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            yield name, f"{path.relative_to(ROOT)}:{node.lineno}"


def python(code: str, *arguments: str) -> str:
    """What a new Python process prints that runs the code in the repository, cached bytecode allowed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV_", "COVERAGE_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_has_a_room() -> None:
    assert SOURCES
    homeless = {first_part(path) for path in SOURCES} - ROOM.keys()
    assert not homeless, f"give these modules their place in ROOMS: {sorted(homeless)}"


def test_imports_go_one_way() -> None:
    wrong = []
    for path in SOURCES:
        importer = first_part(path)
        own = ROOM.get(importer, len(ROOMS))
        for name, place in imports(path, in_functions=True):
            package, *parts = name.split(".")
            # `from tinynet import layers` knows a module; `import tinynet`, `from tinynet import Sequential`, the face
            imported = parts[0] if parts and parts[0] in ROOM else "__init__"
            if package == "tinynet" and importer != "__init__" and ROOM[imported] > own:
                wrong.append(f"{place}: {importer} may not know {imported}")
    assert not wrong, "\n".join(wrong)


def test_extras_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{place}: import {name} inside the function that uses it"
        for path in SOURCES
        for name, place in imports(path, in_functions=False)
        if name.split(".")[0] not in CORE | NEEDED_FIRST.get(path, set())
    ]
    assert not wrong, "\n".join(wrong)


def test_import_loads_numpy_and_nothing_else() -> None:
    loaded = python(
        "import sys, numpy; before = set(sys.modules); import tinynet; print(*(set(sys.modules) - before))"
    ).split()
    assert "tinynet" in loaded
    assert {name for name in loaded if name.split(".")[0] not in CORE} == set()


def test_import_is_quick() -> None:
    """At most 15 ms; on a slow or busy machine, at most a fifth of what NumPy took."""
    code = (
        "import time; start = time.process_time(); import numpy; middle = time.process_time(); import tinynet; "
        "print(middle - start, time.process_time() - middle)"
    )
    # The quickest of several: other work on the machine can only add time. The first run may write the bytecode.
    both = [[float(seconds) for seconds in python(code).split()] for _ in range(9)]
    numpys, ours = (min(times) for times in zip(*both, strict=True))
    assert ours <= max(IMPORT_LIMIT_SECONDS, numpys / 5), f"import tinynet adds {1000 * ours:.1f} ms to import numpy"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    python("import sys; from flit_core.buildapi import build_wheel; build_wheel(sys.argv[1])", str(folder))
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_is_small(wheel: Path) -> None:
    """The engine, with its three machines, and the whole with what stands on it."""
    assert wheel.stat().st_size < WHEEL_LIMIT_BYTES
    on_top = tuple(f"tinynet/{room}/" for room in ("tabular", "demo", "bench"))
    with zipfile.ZipFile(wheel) as archive:
        engine = sum(info.compress_size for info in archive.infolist() if not info.filename.startswith(on_top))
    assert engine < ENGINE_LIMIT_BYTES


def test_wheel_holds_the_package_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    information = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert {name.split("/")[0] for name in names} == {"tinynet", information}
    assert not [name for name in names if any(part.startswith(("test", "conftest")) for part in name.split("/"))]
    assert f"{information}/licenses/LICENSE" in names


def test_core_depends_on_numpy_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = email.message_from_bytes(archive.read(metadata))
    core = [need for need in message.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need.split(">")[0].strip() for need in core] == ["numpy"]
