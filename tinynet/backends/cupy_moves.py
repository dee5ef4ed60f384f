"""Kernels without a formula: rows fetched and stored, sums over samples, dropout, embeddings, norms and guards.

Sums are taken in double and always in the same order, without atomic additions, so that a run repeats to the last bit.
"""

from __future__ import annotations

from tinynet.backends import cupy_frame as F
from tinynet.backends.cupy_draft import LARGEST_GRID, Draft, Launch, Place, blocks
from tinynet.backends.cupy_kernels import NEXT, Partials, derivative_lines, draft_for
from tinynet.backends.cupy_source import THREADS
from tinynet.formulas.formula import Formula
from tinynet.recorder import Tensor

SOURCES = {"X": F.X, "T": F.T, "weights": F.WEIGHTS}
ROWS_A_PART = 512  # of a sum over samples: beyond so many, several blocks share a column


def gather(pairs: list[tuple[str, Tensor]], frame: Place, n: int, dtype: str) -> Launch:
    """Each out (n, columns) = the rows of its source that the frame's order names, all in one launch."""
    draft = Draft("gather", dtype, n, 1)
    draft.add("const long long *", "frame", frame)
    lines = [f"const long long *order = (const long long *) frame[{F.ORDER}] + frame[{F.PLACE}];"]
    begin, total = "0", 0
    for number, (source, out) in enumerate(pairs):
        name = draft.add(f"{draft.real} *", f"x{number}", out)
        width = draft.count(f"width{number}", int(out.shape[-1] or 1))
        total += out.size(n)
        end = draft.count(f"end{number}", total)
        fetched = f"((const {draft.real} *) frame[{SOURCES[source]}])[order[q / {width}] * {width} + q % {width}]"
        place = f"const unsigned q = k - {begin}; {name}[q] = {fetched};"
        lines.append(f"{'else ' * bool(number)}if (k < {end}) {{ {place} }}")
        begin = end
    draft.rows = total
    return draft.each(lines)


def scatter(y: Tensor, frame: Place, n: int, dtype: str) -> Launch:
    """The rows of the frame's outputs that its order names = y, where outputs are wanted."""
    draft = Draft("scatter", dtype, n, int(y.shape[-1] or 1))
    name = draft.tensor(y)
    draft.add("const long long *", "frame", frame)
    draft.count("width", draft.columns)
    lines = [
        f"const long long *order = (const long long *) frame[{F.ORDER}] + frame[{F.PLACE}];",
        f"{draft.real} *outputs = ({draft.real} *) frame[{F.OUTPUTS}];",
        f"if (outputs) outputs[order[k / width] * width + k % width] = {name}[k];",
    ]
    return draft.each(lines)


def next_batch(frame: Place, value: Place, n: int, dtype: str) -> Launch:
    """On to the next batch, where no step is counted."""
    draft = Draft("next_batch", dtype, 1, 1)
    draft.add("long long *", "frame", frame)
    draft.add("const double *", "value", value)
    draft.count("n", n)
    return draft.launch(["EACH_THREAD if (threadIdx.x == 0) {", *(f"    {x}" for x in NEXT), "}"], 1, 32, 1)


def column_sum(d: Tensor, out: Tensor, n: int, dtype: str, partials: Partials) -> list[Launch]:
    """out (m,) = the sum over the rows of d (n, m)."""
    draft = Draft("column_sum", dtype, n, int(d.shape[-1] or 1))
    name = draft.tensor(d)
    return summed_columns(draft, [], f"{name}[k]", out, partials)


def activation_grad_and_sum(
    da: Tensor, z: Tensor, a: Tensor, f: Formula, dz: Tensor, out: Tensor, n: int, dtype: str, partials: Partials
) -> list[Launch]:
    """dz = da f'(z, a), and out (m,) = the sum over its rows, in one going."""
    assert f.derivative is not None
    draft = draft_for("activation_grad_and_sum", dtype, [da, z, a, dz], n, [f.derivative])
    names, result = [draft.tensor(t) for t in (da, z, a)], draft.tensor(dz)
    lines = [*derivative_lines(draft, f.derivative, names), f"{draft.at(result)} = d;"]
    return summed_columns(draft, lines, "d", out, partials)


def summed_columns(draft: Draft, lines: list[str], term: str, out: Tensor, partials: Partials) -> list[Launch]:
    """`term`, after the lines, summed over the rows. A block takes some columns; its threads share their rows."""
    n, m = draft.rows, draft.columns
    width = 1
    while width < min(m, 32):
        width *= 2
    parts = min(-(-max(n, 1) // ROWS_A_PART), 64)
    across = blocks(m, width)
    for name, count in (("rows", n), ("m", m), ("width", width), ("parts", parts), ("across", across)):
        draft.count(name, count)
    into = draft.add("double *", "sums", partials(parts * m)) if parts > 1 else draft.tensor(out)
    place = "sums[(size_t) part * m + j]" if parts > 1 else f"{into}[j]"
    body = [
        f"SHARED double scratch[{THREADS}];",
        "const unsigned lanes = blockDim.x / width, part = blockIdx.x / across;",
        "const unsigned first = blockIdx.x % across * width;",
        "EACH_THREAD {",
        "    const unsigned j = first + threadIdx.x % width;",
        "    double own = 0.0;",
        "    if (j < m) for (unsigned i = part * lanes + threadIdx.x / width; i < rows; i += parts * lanes) {",
        "        const size_t k = (size_t) i * m + j;",
        *(f"        {line}" for line in lines),
        f"        own += (double) {term};",
        "    }",
        "    scratch[threadIdx.x] = own;",
        "}",
        "MEET",
        "EACH_THREAD if (threadIdx.x < width && first + threadIdx.x < m) {",
        "    const unsigned j = first + threadIdx.x;",
        "    double total = 0.0;",
        "    for (unsigned lane = 0; lane < lanes; lane++) total += scratch[lane * width + threadIdx.x];",
        f"    {place} = ({draft.real if parts == 1 else 'double'}) total;",
        "}",
    ]
    launches = [draft.launch(body, across * parts, THREADS, across * parts * THREADS)]
    if parts > 1:
        rest = Draft("column_sum_rest", draft.dtype, 1, m)
        result, name = rest.tensor(out), rest.add("const double *", "sums", draft.arguments[-1])
        rest.count("parts", parts)
        lines = ["double total = 0.0;",
                 f"for (unsigned p = 0; p < parts; p++) total += {name}[(size_t) p * m + k];",
                 f"{result}[k] = ({draft.real}) total;"]  # fmt: skip
        launches.append(rest.each(lines))
    return launches


def square_norm(d: Tensor, out: Place, dtype: str, partials: Partials) -> list[Launch]:
    """out (1,) = the sum of the squares of d."""
    draft = Draft("square_norm", dtype, 1, d.size(1))
    name = draft.add(f"{draft.real} *", "d", d)
    draft.add(f"{draft.real} *", "out", out)
    lines = [f"own += (double) {name}[k] * (double) {name}[k];"]
    return draft.sums(lines, [f"out[0] = ({draft.real}) total;"], partials(LARGEST_GRID))


def finite_guard(value: Place, gradients: Tensor, frame: Place, dtype: str, partials: Partials) -> list[Launch]:
    """ALIVE = 0, and FAILED the batch's number from 1, in the first step whose loss or gradients are not finite."""
    draft = Draft("finite_guard", dtype, 1, gradients.size(1))
    name = draft.add(f"{draft.real} *", "gradients", gradients)
    draft.add("const double *", "value", value)
    draft.add("long long *", "frame", frame)
    sick = "total - total != 0.0 || value[0] - value[0] != 0.0"
    lines = [f"if (frame[{F.ALIVE}] && ({sick})) {{",
             f"    frame[{F.ALIVE}] = 0;", f"    frame[{F.FAILED}] = frame[{F.BATCH}] + 1;", "}"]  # fmt: skip
    return draft.sums([f"own += (double) {name}[k];"], lines, partials(LARGEST_GRID))


def dropout(x: Tensor, rate: float, seed: int, layer: int, out: Tensor, frame: Place, n: int, dtype: str) -> Launch:
    """out = x over the share that stays where the hash keeps an element, else 0."""
    draft = Draft("dropout", dtype, n, int(x.shape[-1] or 1))
    xs, result = draft.tensor(x), draft.tensor(out)
    draft.add("const long long *", "frame", frame)
    words = {"low": seed & 0xFFFFFFFF, "high": (seed >> 32) & 0xFFFFFFFF, "layer": layer & 0xFFFFFFFF}
    words["least"] = min(round(rate * 2**32), 2**32 - 1)
    for name, word in words.items():
        draft.add("unsigned", name, word)
    draft.add("double", "scale", 1.0 / (1.0 - rate))
    lines = [
        f"const unsigned step = (unsigned) frame[{F.STEP}];",
        "const unsigned one = key_after(0u, 0x9E3779B9u, low, high, layer, step);",
        "const unsigned two = key_after(one, 0x7F4A7C15u, low, high, layer, step);",
        "const unsigned chance = mixed(mixed(k ^ one) + two);",
        f"{result}[k] = {xs}[k] * ({draft.real}) (chance >= least ? 1 : 0) * ({draft.real}) scale;",
    ]
    return draft.each(lines)


CODE = """\
const {real} code_ = x[(size_t) i * width + column];
long long code = code_ > 0 ? (long long) code_ : 0;
code = code < count ? code : count - 1;"""


def embed(x: Tensor, out: Tensor, columns: Place, n: int, dtype: str) -> Launch:
    """Every column of out from its four numbers in `columns`: where its table's column begins, or 0; the column of x;
    how many codes; and how long a row of the table is."""
    draft = Draft("embed", dtype, n, int(out.shape[-1] or 1))
    xs, result = draft.add(f"const {draft.real} *", "x", x), draft.add(f"{draft.real} *", "out", out)
    draft.add("const long long *", "columns", columns)
    draft.count("width", int(x.shape[-1] or 1))
    draft.count("across", draft.columns)
    lines = [
        "const unsigned i = k / across;",
        "const long long *own = columns + 4 * (size_t) (k % across);",
        "const long long column = own[1], count = own[2];",
        f"if (!own[0]) {result}[k] = {xs}[(size_t) i * width + column];",
        "else {",
        *("    " + line for line in CODE.format(real=draft.real).splitlines()),
        f"    {result}[k] = ((const {draft.real} *) own[0])[code * own[3]];",
        "}",
    ]
    return draft.each(lines)


def embed_grad(x: Tensor, da: Tensor, columns: Place, most: int, start: int, n: int, dtype: str) -> Launch:
    """Every number of every table's gradient: a thread looks through all samples for those that named its row.

    `columns` is as for `embed`, of the gradients, from column `start` of da on; `most` is the longest table's rows.
    """
    across = int(da.shape[-1] or 1) - start
    draft = Draft("embed_grad", dtype, most, across)
    draft.add(f"const {draft.real} *", "x", x)
    das = draft.add(f"const {draft.real} *", "da", da)
    draft.add("const long long *", "columns", columns)
    for name, value in (("rows", n), ("width", int(x.shape[-1] or 1)), ("across", across), ("start", start)):
        draft.count(name, value)
    lines = [
        "const long long wanted = k / across;",
        "const long long *own = columns + 4 * (size_t) (k % across);",
        "const long long column = own[1], count = own[2];",
        "if (wanted < count) {",
        "    double total = 0.0;",
        "    for (unsigned i = 0; i < rows; i++) {",
        *("        " + line for line in CODE.format(real=draft.real).splitlines()),
        f"        if (code == wanted) total += (double) {das}[(size_t) i * (start + across) + start + k % across];",
        "    }",
        f"    (({draft.real} *) own[0])[wanted * own[3]] = ({draft.real}) total;",
        "}",
    ]
    return draft.each(lines)


def spread(da: Tensor, dx: Tensor, places: Place, n: int, dtype: str) -> Launch:
    """dx = for each of its columns that column of da which `places` names, or 0 for -1."""
    draft = Draft("spread", dtype, n, int(dx.shape[-1] or 1))
    das, result = draft.add(f"const {draft.real} *", "da", da), draft.add(f"{draft.real} *", "dx", dx)
    draft.add("const long long *", "places", places)
    draft.count("width", int(da.shape[-1] or 1))
    draft.count("across", draft.columns)
    lines = [
        "const long long place = places[k % across];",
        f"{result}[k] = place < 0 ? 0 : {das}[(size_t) (k / across) * width + place];",
    ]
    return draft.each(lines)
