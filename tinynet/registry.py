"""Names for things: a string, a saved description or an object of one's own, each resolved in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

Thing = TypeVar("Thing")


def unknown(kind: str, name: object, known: Mapping[str, Any] | list[str]) -> str:
    """One sentence for a name that is not known, with the nearest right one."""
    from difflib import get_close_matches  # imported where used: it is needed only when something is wrong

    lower = {str(other).lower(): other for other in known}
    near = get_close_matches(str(name).lower(), list(lower), n=1, cutoff=0.5)
    hint = f"did you mean {lower[near[0]]!r}? " if near else ""
    return f"there is no {kind} named {name!r}: {hint}known are {', '.join(known)}"


def refused(kind: str, base: type, given: object) -> str:
    """One sentence for what is neither a name nor an object of `base`."""
    if isinstance(given, type) and issubclass(given, base):
        return f"give an object, {given.__name__}(...), not the class {given.__name__}"
    article = "an" if kind[0] in "aeio" else "a"
    return f"{article} {kind} is a name or an object of {base.__name__}, not {type(given).__name__}"


class Registry(Generic[Thing]):
    """The named things of one kind: `registry.get("adam")`, `registry.get(Adam(0.01))`, `registry.get(saved)`.

    Saved descriptions are `{"name": ..., **config}`; a name is looked up here and never imported.
    """

    def __init__(self, kind: str, base: type[Thing], known: dict[str, Callable[..., Thing]]) -> None:
        self.kind, self.base, self.known = kind, base, known

    def get(self, given: str | dict[str, Any] | Thing, custom: Mapping[str, Callable[..., Any]] | None = None) -> Thing:
        """The thing that `given` names, describes or is; `custom` adds names of one's own.

        Raises ValueError for an unknown name, TypeError for something that is none of the three.
        """
        if isinstance(given, self.base):
            return given
        if isinstance(given, str):
            return self.make(given, custom)
        if isinstance(given, dict) and isinstance(given.get("name"), str):
            return self.make(given["name"], custom, **{key: value for key, value in given.items() if key != "name"})
        raise TypeError(refused(self.kind, self.base, given))

    def make(self, name: str, custom: Mapping[str, Callable[..., Any]] | None = None, **config: Any) -> Thing:
        classes = {made.__name__: made for made in self.known.values()}  # Keras knows "adam" and "Adam"
        known = {**classes, **self.known, **(custom or {})}
        known |= {name: known[name.lower()]} if name not in known and name.lower() in known else {}  # "MSE" is "mse"
        if name not in known:
            raise ValueError(unknown(self.kind, name, [*self.known, *(custom or {})]))
        made: Thing = known[name](**config)
        return made

    def name_of(self, thing: Thing) -> str:
        """The first name under which the thing's class is known; the class's own name for a user's class."""
        names = [name for name, made_by in self.known.items() if made_by is type(thing)]
        return names[0] if names else type(thing).__name__

    def saved(self, thing: Thing) -> dict[str, Any]:
        """A description from which `get` makes the thing again."""
        return {"name": self.name_of(thing), **thing.config()}  # type: ignore[attr-defined]
