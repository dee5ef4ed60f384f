"""Kernels of formulas: the loop around a formula that each operation is, as text for numba to compile.

The formula itself is printed from its one source (`tinynet.formulas.emit`). An elementwise formula is called for every
number of a block of rows, a row formula for every row. In a step's second part, where parameters are worked on, an
operation sees one flat slice of them. Where two arrays share memory the text says so by one name, since a compiler that
must ask whether arrays overlap takes the slow way when they do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_code import address_of
from tinynet.formulas.emit import named, python_source
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import Level, unroll
from tinynet.operations import hyper_names
from tinynet.recorder import Tensor

FRAME = f"frame = carray(doubles(f[{F.SELF}]), {F.LENGTH})"  # the frame's numbers that are no whole ones


class Doubles(NamedTuple):
    """Numbers in double that a kernel is given by address."""

    values: tuple[float, ...]


class Kernel(NamedTuple):
    """A kernel's name and text, and its arguments: addresses of tensors or of numbers, and sizes."""

    name: str
    text: str
    arguments: list[Tensor | Doubles | int]

    def address(self, dtype: str) -> int:
        return address_of(self.name, self.text, dtype)


class Loop:
    """A kernel in the making.

    Parameters
    ----------
    flat : whether it works on one slice of the parameters instead of rows of samples
    shared : name of a tensor -> name of the tensor whose memory it shares
    """

    def __init__(self, flat: bool, shared: dict[str, str] | None = None) -> None:
        self.flat, self.shared = flat, shared or {}
        self.functions = ""
        self.head: list[tuple[str, str]] = []  # (an array of the text, where its address is)
        self.body: list[str] = []
        self.arguments: list[Tensor | Doubles | int] = []
        self.level: dict[str, Any] = {}  # of each array in the text
        self.known: dict[str, str] = {}  # name of a tensor -> its array in the text
        self.columns = 1

    def place(self, argument: Tensor | Doubles | int) -> str:
        self.arguments.append(argument)
        return f"a[{len(self.arguments) - 1}]"

    def arrays(self, tensors: Sequence[Tensor]) -> list[str]:
        """The tensors as arrays of the text. Call it once, with all of them: together they say how many columns."""
        self.columns = 1 if self.flat else max(t.shape[-1] or 1 for t in tensors)
        names = []
        for tensor in tensors:
            memory = self.shared.get(tensor.name, tensor.name)
            if memory not in self.known:
                self.known[memory] = name = f"x{len(self.known)}"
                self.level[name] = self.level_of(tensor)
                self.head.append((name, self.place(tensor)))
            names.append(self.known[memory])
        return names

    def level_of(self, tensor: Tensor) -> str:
        if self.flat:
            return "scalar" if tensor.space == "state" else "element"
        if not tensor.per_row:
            return "column" if tensor.shape[-1] == self.columns and self.columns > 1 else "scalar"
        return "element" if tensor.shape[-1] == self.columns else "row"

    def even(self) -> bool:
        """Whether all arrays have the same shape, so that one loop goes through their memory from end to end."""
        return all(level in ("element", "scalar") for level in self.level.values())

    def element(self, name: str) -> str:
        k = "k" if self.even() else "i, j"
        return name + {"element": f"[{k}]", "row": "[i, 0]", "column": "[j]", "scalar": "[0]"}[self.level[name]]

    def row(self, name: str) -> str:
        return name if self.level[name] in ("column", "scalar") else f"{name}[i]"

    def formula(
        self, formula: Formula, prefix: str, arrays: Sequence[str], given: list[str] | None = None
    ) -> list[str]:
        """Put the formula's function into the text; returns its constants. `given` are its scalars in the text."""
        names = read(formula).arrays
        levels: dict[str, Level] = {
            n: "row" if self.level[x] == "scalar" else self.level[x] for n, x in zip(names, arrays, strict=True)
        }
        unrolled = unroll(formula, levels)
        heads = iter(([f"{prefix}_constants"] if unrolled.constants else []) + [prefix])
        self.functions += re.sub(
            r"^def \w+\(", lambda _: f"@inline\ndef {next(heads)}(", python_source(formula, levels), flags=re.MULTILINE
        )
        if not unrolled.constants:
            return []
        if given is None:
            values = Doubles(tuple(formula.scalars[name] for name in unrolled.scalars))
            self.body.append(f"{prefix}_h = carray(doubles({self.place(values)}), {max(1, len(values.values))})")
            given = [f"{prefix}_h[{i}]" for i in range(len(values.values))]
        constants = [f"{prefix}_c{i}" for i in range(len(unrolled.constants))]
        self.body.append(f"{', '.join(constants)}, = {prefix}_constants({', '.join(given)})")
        return constants

    def each(self, lines: Sequence[str]) -> None:
        """The lines for every element."""
        if self.even():
            self.body += ["for k in range(size):", *("    " + line for line in lines)]
        else:
            self.each_row(["for j in range(m):", *("    " + line for line in lines)])

    def each_row(self, lines: Sequence[str]) -> None:
        self.body += ["for i in range(rows):", *("    " + line for line in lines)]

    def kernel(self, operation: str, formula: Formula) -> Kernel:
        size = self.place(-1 if self.flat else self.columns)
        head = [f"a, f = carray(a_, {len(self.arguments)}), carray(f_, {F.LENGTH})"]
        head += [f"rows, m = 1, {size}" if self.flat else f"rows, m = f[{F.ROWS}], {size}", "size = rows * m"]
        in_rows = any("[i" in line for line in self.body)
        shapes = {"element": "(rows, m)" if in_rows else "size", "row": "(rows, 1)", "column": "m", "scalar": "1"}
        head += [f"{name} = carray(pointer({place}), {shapes[self.level[name]]})" for name, place in self.head]
        lines = "".join(f"    {line}\n" for line in [*head, *self.body])
        return Kernel(
            f"{operation}_{named(formula.name)}", f"{self.functions}def kernel(a_, f_):\n{lines}", self.arguments
        )


def is_row(formula: Formula) -> bool:
    return read(formula).is_row


def called(loop: Loop, prefix: str, formula: Formula, arrays: Sequence[str], outs: Sequence[str], c: list[str]) -> str:
    """outs = formula(arrays), as a line for an element or for a row."""
    if is_row(formula):
        given = [loop.row(x) for x in arrays] + c + [loop.row(out) for out in outs] + ["m"]
        return f"{prefix}({', '.join(given)})"
    results = ", ".join(map(loop.element, outs))
    return f"{results} = {prefix}({', '.join([loop.element(x) for x in arrays] + c)})"


def apply(f: Formula, arrays: list[Tensor], outs: list[Tensor], flat: bool, shared: dict[str, str]) -> Kernel:
    """outs = f(*arrays)."""
    loop = Loop(flat, shared)
    names = loop.arrays([*arrays, *outs])
    given, results = names[: len(arrays)], names[len(arrays) :]
    c = loop.formula(f, "g", given)
    (loop.each_row if is_row(f) else loop.each)([called(loop, "g", f, given, results, c)])
    return loop.kernel("apply", f)


def bias_activation(z: Tensor, b: Tensor, f: Formula, a: Tensor, keep_z: bool, shared: dict[str, str]) -> Kernel:
    """z += b, then a = f(z); z is written back only where somebody reads it later."""
    loop = Loop(False, shared)
    zs, bs, out = loop.arrays([z, b, a])
    c = loop.formula(f, "g", [zs])
    if is_row(f):
        loop.each_row(["for j in range(m):", f"    {zs}[i, j] += {loop.element(bs)}"])
        loop.each_row([called(loop, "g", f, [zs], [out], c)])
        return loop.kernel("bias_activation", f)
    lines = [f"s = {loop.element(zs)} + {loop.element(bs)}", f"{loop.element(zs)} = s", f"{loop.element(out)} = {{}}"]
    lines[2] = lines[2].format(f"g({', '.join(['s', *c])})")
    loop.each(lines if keep_z and zs != out else [lines[0], lines[2]])
    return loop.kernel("bias_activation" if keep_z else "bias_activation_in_passing", f)


def activation_grad(da: Tensor, z: Tensor, a: Tensor, f: Formula, dz: Tensor, shared: dict[str, str]) -> Kernel:
    """dz = da f'(z, a), or the gradient taken back through the row."""
    loop = Loop(False, shared)
    d, zs, outs, result = loop.arrays([da, z, a, dz])
    if f.derivative is not None:
        c = loop.formula(f.derivative, "g", [zs, outs])
        if is_row(f.derivative):
            loop.each_row([called(loop, "g", f.derivative, [zs, outs], [result], c)])
            loop.each_row(["for j in range(m):", f"    {result}[i, j] *= {d}[i, j]"])
        else:
            arguments = ", ".join([loop.element(zs), loop.element(outs), *c])
            loop.each([f"{loop.element(result)} = {loop.element(d)} * g({arguments})"])
    else:
        assert f.gradient is not None
        c = loop.formula(f.gradient, "g", [d, zs, outs])
        line = called(loop, "g", f.gradient, [d, zs, outs], [result], c)
        (loop.each_row if is_row(f.gradient) else loop.each)([line])
    return loop.kernel("activation_grad", f)


def loss_grad(f: Formula, y: Tensor, t: Tensor, weight: Tensor, dy: Tensor) -> Kernel:
    """VALUE += the weighted losses, and dy = the gradient of their sum over TOTAL."""
    assert f.derivative is not None
    loop = Loop(False)
    ys, ts, ws, d = loop.arrays([y, t, weight, dy])
    c, dc = loop.formula(f, "g", [ys, ts]), loop.formula(f.derivative, "dg", [ys, ts])
    one_a_row = is_row(f) and unroll(f, {read(f).arrays[1]: loop.level[ts]}).result_levels[0] == "row"
    outputs = "1" if one_a_row else "m"

    def at(name: str) -> str:  # always by row and column: the weight is the row's
        return f"{name}[i, {'j' if loop.level[name] == 'element' else 0}]"

    lines = [f"w = {ws}[i, 0]"]
    if is_row(f):  # dy serves as the place for what f says of the row
        lines += [called(loop, "g", f, [ys, ts], [d], c), f"for j in range({outputs}):", f"    value += w * {d}[i, j]"]
    else:
        terms = ", ".join([at(ys), at(ts), *c])
        lines += ["for j in range(m):", f"    value += double(w * g({terms}))"]
    if is_row(f.derivative):
        lines += [
            called(loop, "dg", f.derivative, [ys, ts], [d], dc),
            "for j in range(m):",
            f"    {d}[i, j] *= w * scale",
        ]
    else:
        terms = ", ".join([at(ys), at(ts), *dc])
        lines += ["for j in range(m):", f"    {d}[i, j] = dg({terms}) * (w * scale)"]
    loop.body += [FRAME, "value = 0.0"]
    loop.body += [f"scale = real(1.0 / (frame[{F.TOTAL}] * {outputs}))"]
    loop.each_row(lines)
    loop.body.append(f"frame[{F.VALUE}] += value / {outputs}")
    return loop.kernel("loss_grad", f)


def regularize(f: Formula, p: Tensor) -> Kernel:
    """VALUE += TOTAL times the sum of f over a slice of a parameter."""
    loop = Loop(True)
    ps = loop.arrays([p])[0]
    c = loop.formula(f, "g", [ps])
    loop.body.append("value = 0.0")
    loop.each([f"value += double(g({', '.join([loop.element(ps), *c])}))"])
    loop.body.append(FRAME)
    loop.body.append(f"frame[{F.VALUE}] += frame[{F.TOTAL}] * value")
    return loop.kernel("regularize", f)


def regularize_grad(f: Formula, p: Tensor, dp: Tensor) -> Kernel:
    """dp += f'(p), over a slice of a parameter."""
    assert f.derivative is not None
    loop = Loop(True)
    ps, ds = loop.arrays([p, dp])
    c = loop.formula(f.derivative, "g", [ps])
    loop.each([f"{loop.element(ds)} += g({', '.join([loop.element(ps), *c])})"])
    return loop.kernel("regularize_grad", f)


def update(rule: Formula, p: Tensor, g: Tensor, slots: list[Tensor], hyper: Tensor) -> Kernel:
    """p and slots = rule(p, g, *slots) over a slice of the parameters; nothing where ALIVE is 0."""
    loop = Loop(True)
    ps, gs, *kept = loop.arrays([p, g, *slots])
    place = loop.place(hyper)
    names = hyper_names(rule)
    loop.body += [f"if f[{F.ALIVE}] == 0:", "    return", f"h = carray(doubles({place}), {max(1, len(names))})"]
    told = {name: f"h[{i}]" for i, name in enumerate(names)} | {"step": f"double(f[{F.STEP}])"}
    if "learning_rate" in names:
        loop.body += [f"rate = {told['learning_rate']}", f"if f[{F.RATES}] != 0:"]
        loop.body.append(f"    rate = carray(doubles(f[{F.RATES}]), f[{F.NEXT}] + 1)[f[{F.NEXT}]]")
        told["learning_rate"] = "rate"
    given = [told[name] for name in unroll(rule).scalars]
    c = loop.formula(rule, "g", [ps, gs, *kept], given)
    loop.each([called(loop, "g", rule, [ps, gs, *kept], [ps, *kept], c)])
    return loop.kernel("update", rule)
