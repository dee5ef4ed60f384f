"""Kernels of formulas: what surrounds a formula in each operation that has one. See `operations` for what each does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet.backends import cupy_frame as F
from tinynet.backends.cupy_draft import LARGEST_GRID, Draft, Launch, Place, is_row, row_threads
from tinynet.backends.cupy_source import THREADS
from tinynet.formulas.emit import c_source, named
from tinynet.formulas.formula import Formula
from tinynet.formulas.reader import read
from tinynet.formulas.unroll import unroll
from tinynet.operations import hyper_names
from tinynet.recorder import Tensor

Partials = Callable[[int], Place]  # memory for so many doubles


def shape_of(tensors: list[Tensor], n: int) -> tuple[int, int]:
    """The rows and columns that the tensors span together; parameters that are all alike are one row."""
    if any(t.per_row for t in tensors):
        return n, max(int(t.shape[-1] or 1) for t in tensors)
    whole = [t.sizes(1) for t in tensors if t.space != "state"]
    if len(set(whole)) == 1:
        return 1, tensors[0].size(1) if tensors[0].space != "state" else max(t.size(1) for t in tensors)
    return max((s[0] for s in whole if len(s) > 1), default=1), max(s[-1] for s in whole)


class Flat(Draft):
    """A draft over parameters that are all alike: each array is one row, whatever its shape."""

    def level_of(self, tensor: Tensor) -> str:
        if tensor.size(1) == self.columns and tensor.space != "state":
            return "element"
        return "scalar" if tensor.size(1) == 1 else super().level_of(tensor)


def draft_for(operation: str, dtype: str, tensors: list[Tensor], n: int, formulas: list[Formula]) -> Draft:
    rows, columns = shape_of(tensors, n)
    alike = not any(t.per_row for t in tensors) and rows == 1 and not any(map(is_row, formulas))
    names = "_".join(f.name for f in formulas if f.name.isascii())
    return (Flat if alike else Draft)(f"{operation}_{names}", dtype, rows, columns)


def apply(f: Formula, arrays: list[Tensor], outs: list[Tensor], n: int, dtype: str) -> Launch:
    """outs = f(*arrays)."""
    draft = draft_for("apply", dtype, [*arrays, *outs], n, [f])
    given, results = [draft.tensor(t) for t in arrays], [draft.tensor(t) for t in outs]
    lines = draft.results("g", f, given, results)
    return draft.each_row(lines) if is_row(f) else draft.each(lines)


def bias_activation(z: Tensor, b: Tensor, f: Formula, a: Tensor, keep_z: bool, n: int, dtype: str) -> Launch:
    """z += b, a = f(z); z is written back only where somebody reads it later."""
    draft = draft_for("bias_activation", dtype, [z, b, a], n, [f])
    zs, bs, out = (draft.tensor(t) for t in (z, b, a))
    if is_row(f):
        bias = f"EACH_THREAD for (unsigned j = threadIdx.x; j < m; j += blockDim.x) ({draft.row(zs)})[j] += {bs}[j];"
        return draft.each_row([bias, *draft.results("g", f, [zs], [out])])
    constants = draft.formula("g", f, [zs])
    lines = [f"const {draft.real} s = {draft.at(zs)} + {draft.at(bs)};"]
    lines += [f"{draft.at(zs)} = s;"] * (keep_z and zs != out)
    lines.append(f"{draft.at(out)} = g::{named(f.name)}({', '.join(['s', *constants])});")
    return draft.each(lines)


def activation_grad(da: Tensor, z: Tensor, a: Tensor, f: Formula, dz: Tensor, n: int, dtype: str) -> Launch:
    """dz = da f'(z, a), or the gradient taken back through the row."""
    back = f.derivative or f.gradient
    assert back is not None
    draft = draft_for("activation_grad", dtype, [da, z, a, dz], n, [back])
    names = [draft.tensor(t) for t in (da, z, a)]
    result = draft.tensor(dz)
    if f.derivative is None:
        lines = draft.results("g", back, names, [result])
    elif is_row(back):
        if da.name == dz.name:
            raise ValueError("it writes dz over da, which the derivative of a row has to keep")
        times = f"({draft.row(result)})[j] *= ({draft.row(names[0])})[j];"
        lines = draft.results("g", back, names[1:], [result])
        lines.append(f"EACH_THREAD for (unsigned j = threadIdx.x; j < m; j += blockDim.x) {times}")
    else:
        return draft.each([*derivative_lines(draft, back, names), f"{draft.at(result)} = d;"])
    return draft.each_row(lines) if is_row(back) else draft.each(lines)


def derivative_lines(draft: Draft, back: Formula, names: list[str]) -> list[str]:
    """d = da f'(z, a), of one element."""
    constants = draft.formula("g", back, names[1:])
    given = ", ".join([*(draft.at(x) for x in names[1:]), *constants])
    return [f"const {draft.real} d = {draft.at(names[0])} * g::{named(back.name)}({given});"]


def loss_grad(
    f: Formula, y: Tensor, t: Tensor, weight: Tensor, dy: Tensor, value: Place, frame: Place, n: int, dtype: str,
    partials: Partials,
) -> list[Launch]:  # fmt: skip
    """value += the weighted losses, and dy = the gradient of their sum over n."""
    assert f.derivative is not None
    draft = draft_for("loss_grad", dtype, [y, t, weight, dy], n, [f])
    ys, ts, ws, d = (draft.tensor(tensor) for tensor in (y, t, weight, dy))
    if draft.columns == 1:  # then a row is an element, and which it is called makes no difference
        draft.levels[ws] = "element"
    outputs = draft.columns
    if is_row(f) and unroll(f, levels_of(draft, f, [ys, ts])).result_levels[0] == "row":
        outputs = 1
    real = draft.real
    finish = [f"if (frame[{F.ALIVE}]) value[0] += total / outputs;"]
    draft.add("double *", "value", value)
    draft.add("long long *", "frame", frame)
    draft.add("double", "outputs", float(outputs))
    draft.add("double", "scale", 1.0 / (n * outputs))
    if not (is_row(f) or is_row(f.derivative)):
        c, dc = draft.formula("g", f, [ys, ts]), draft.formula("dg", f.derivative, [ys, ts])
        given = f"{draft.at(ys)}, {draft.at(ts)}"
        lines = [
            f"const {real} w = {draft.at(ws)};",
            f"own += (double)(w * g::{named(f.name)}({', '.join([given, *c])}));",
            f"{draft.at(d)} = dg::{named(f.derivative.name)}({', '.join([given, *dc])}) * (w * ({real}) scale);",
        ]
        size = draft.rows * draft.columns
        return draft.sums(lines, finish, partials(LARGEST_GRID) if size > 4 * THREADS else None)
    draft.count("rows", n)
    draft.count("m", draft.columns)
    lines = [f"SHARED double scratch[{THREADS}];", f"SHARED double sums[{THREADS}];"]
    lines.append("EACH_THREAD sums[threadIdx.x] = 0.0;")
    lines += ["for (unsigned i = blockIdx.x; i < rows; i += gridDim.x) {"]

    def through_row(text: str) -> str:
        return f"    EACH_THREAD for (unsigned j = threadIdx.x; j < {{}}; j += blockDim.x) {text}"

    def of_row(prefix: str, formula: Formula) -> list[str]:
        """What the formula says of the row, into dy."""
        if is_row(formula):
            return [f"    {line}" for line in draft.results(prefix, formula, [ys, ts], [d])]
        c = draft.formula(prefix, formula, [ys, ts])
        given = ", ".join([*(f"({draft.row(x)})[{'j' if draft.levels[x] == 'element' else 0}]" for x in (ys, ts)), *c])
        call = f"({draft.row(d)})[j] = {prefix}::{named(formula.name)}({given});"
        return [through_row(call).format("m")]

    weighed = f"({real})({ws}[i] * ({draft.row(d)})[j])"
    lines += [*of_row("g", f), through_row(f"sums[threadIdx.x] += (double)({weighed});").format(outputs_count(outputs))]
    lines += of_row("dg", f.derivative)
    lines.append(through_row(f"({draft.row(d)})[j] *= {ws}[i] * ({real}) scale;").format("m"))
    lines += ["}", "EACH_THREAD scratch[threadIdx.x] = sums[threadIdx.x];"]
    grid = min(n, LARGEST_GRID)
    place = partials(LARGEST_GRID) if grid > 1 else None
    return draft.finished(lines, finish, place, grid, row_threads(draft.columns), n)


def outputs_count(outputs: int) -> str:
    return "1" if outputs == 1 else "m"


def levels_of(draft: Draft, f: Formula, names: list[str]) -> dict[str, Any]:
    pairs = zip(read(f).arrays, names, strict=True)
    return {n: "row" if draft.levels[x] == "scalar" else draft.levels[x] for n, x in pairs}


def regularize(
    f: Formula, p: Tensor, value: Place, frame: Place, n: int, dtype: str, partials: Partials
) -> list[Launch]:
    """value += n times the sum of f over p."""
    draft = draft_for("regularize", dtype, [p], n, [f])
    name = draft.tensor(p)
    constants = draft.formula("g", f, [name])
    draft.add("double *", "value", value)
    draft.add("long long *", "frame", frame)
    draft.add("double", "rows", float(n))
    lines = [f"own += (double)(g::{named(f.name)}({', '.join([draft.at(name), *constants])}));"]
    return draft.sums(lines, [f"if (frame[{F.ALIVE}]) value[0] += rows * total;"], partials(LARGEST_GRID))


def regularize_grad(f: Formula, p: Tensor, dp: Tensor, dtype: str) -> Launch:
    """dp += f'(p)."""
    assert f.derivative is not None
    draft = draft_for("regularize_grad", dtype, [p, dp], 1, [f.derivative])
    ps, ds = draft.tensor(p), draft.tensor(dp)
    constants = draft.formula("g", f.derivative, [ps])
    return draft.each([f"{draft.at(ds)} += g::{named(f.derivative.name)}({', '.join([draft.at(ps), *constants])});"])


def constants(rules: list[tuple[Formula, Place]], frame: Place, value: Place, out: Place, n: int, dtype: str) -> Launch:
    """The next batch and step, and what the scalars of each rule, given with its hyper, come to in this one, one rule's
    behind the other's; by one thread.

    A step that was not finite still counts, those that the same launch made after it do not.
    """
    draft = Draft("_".join(["step", *(rule.name for rule, _ in rules if rule.name.isascii())]), dtype, 1, 1)
    for kind, name, place in (("long long *", "frame", frame), ("const double *", "value", value),
                              ("double *", "constants", out)):  # fmt: skip
        draft.add(kind, name, place)
    draft.count("n", n)
    lines = [f"if (frame[{F.ALIVE}] || frame[{F.FAILED}] == frame[{F.BATCH}] + 1) frame[{F.STEP}] += 1;"]
    first = 0
    for number, (rule, hyper) in enumerate(rules):
        space, own = f"g{number}", f"hyper{number}"
        draft.functions.append((space, c_source(rule, draft.real, qualifier="DEVICE ")))
        draft.add("const double *", own, hyper)
        told = {name: f"{own}[{i}]" for i, name in enumerate(hyper_names(rule))}
        told["step"] = f"(double) frame[{F.STEP}]"
        if "learning_rate" in told:
            rates = f"((const double *) frame[{F.RATES}])[frame[{F.BATCH}]]"
            lines.append(f"const double rate{number} = frame[{F.RATES}] ? {rates} : {told['learning_rate']};")
            told["learning_rate"] = f"rate{number}"
        unrolled = unroll(rule)
        if unrolled.constants:
            given = ", ".join([*(told[name] for name in unrolled.scalars), f"constants + {first}"])
            lines.append(f"{space}::{named(rule.name)}constants({given});")
        first += len(unrolled.constants)
    lines += NEXT
    return draft.launch(["EACH_THREAD if (threadIdx.x == 0) {", *(f"    {line}" for line in lines), "}"], 1, 32, 1)


# The end of a batch; `values` holds the sum of losses behind each.
NEXT = [
    f"if (frame[{F.VALUES}]) ((double *) frame[{F.VALUES}])[frame[{F.BATCH}]] = value[0];",
    f"frame[{F.BATCH}] += 1;",
    f"frame[{F.PLACE}] += n;",
]


def update(
    rule: Formula, p: Tensor, g: Tensor, slots: Tensor, frame: Place, given: Place, first: int, dtype: str
) -> Launch:
    """p and slots = rule(p, g, *slots) over the flat vector, with the constants from `first` on; nothing where the
    step was not finite.
    """
    size = p.size(1)
    draft = Draft(f"update_{rule.name if rule.name.isascii() else ''}", dtype, 1, size)
    ps, gs = draft.tensor(p), draft.tensor(g)
    count = int(slots.shape[0] or 0)
    kept = [draft.tensor(Tensor(f"slots{i}", "slots", (size,), dtype, i * size)) for i in range(count)]
    unrolled = unroll(rule)
    draft.functions.append(("g", c_source(rule, draft.real, qualifier="DEVICE ")))
    draft.add("const double *", "constants", given)
    draft.add("const long long *", "frame", frame)
    values = [f"constants[{first + i}]" for i in range(len(unrolled.constants))]
    arrays = [f"{x}[k]" for x in (ps, gs, *kept)]
    outs = [f"{x}_new" for x in kept]
    call = f"g::{named(rule.name)}({', '.join([*arrays, *values, *(f'&{x}' for x in outs)])})"
    lines = [f"{draft.real} {x};" for x in outs] + [f"const {draft.real} p_new = {call};", f"{ps}[k] = p_new;"]
    lines += [f"{x}[k] = {x}_new;" for x in kept]
    return draft.each([f"if (frame[{F.ALIVE}]) {{", *(f"    {line}" for line in lines), "}"])
