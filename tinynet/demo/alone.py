"""A machine that has NumPy and tinynet only: `python -P alone.py model.safetensors`, rows as JSON on stdin.

It is run as a file, not imported, so that the barrier stands before the first import. Measurements come on standard
input because a command line can be read by other users of the machine.
"""

import json
import sys
from collections.abc import Sequence
from types import ModuleType

ALLOWED = sys.stdlib_module_names | {"numpy", "tinynet"}
NEVER = ("sklearn", "scipy", "pandas", "matplotlib")


def packages() -> set[str]:
    """The packages now loaded that are no part of Python; what compiled code made in memory has no spec."""
    found = {name for name, module in sys.modules.items() if getattr(module, "__spec__", None) is not None}
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names


class Barrier:
    """Stands before all finders of modules and lets only Python's own, NumPy and tinynet through."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"{name} is not on this machine", name=name)


def main() -> None:
    before = packages()  # what this Python loads at every start
    sys.meta_path.insert(0, Barrier())
    for name in NEVER:
        try:
            __import__(name)
        except ModuleNotFoundError:
            continue
        raise AssertionError(f"{name} could be imported")

    import tinynet as tn

    model = tn.load(sys.argv[1])
    answers = model.answers(json.load(sys.stdin))  # type: ignore[union-attr]
    loaded = packages() - before
    if loaded != {"numpy", "tinynet"}:
        raise AssertionError(f"loaded were {sorted(loaded)}")
    json.dump({"answers": answers.tolist(), "loaded": sorted(loaded)}, sys.stdout)


if __name__ == "__main__":
    main()
