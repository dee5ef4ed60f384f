"""Kernels without a formula: rows fetched and stored, sums over samples, dropout, embeddings, norms and guards.

Each stands here once for both precisions: `real` and `pointer`, which are nothing here, are put in when a kernel is
compiled. Its docstring says what its arguments `a` are. A loop runs over `range` of a length, never between two bounds,
which would not vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_compiler import inline, pointer_to
from tinynet.backends.numba_words import summing, words

real: Any = None
pointer: Any = None
integers, doubles, unsigned = pointer_to(types.int64), pointer_to(types.float64), types.uint32
LENGTH = F.LENGTH
scope = words


def gather(a_, f_):
    """out (rows, columns) = the rows of the data that ORDER names; a = place of the data in the frame, out, columns."""
    a, f = carray(a_, 3), carray(f_, LENGTH)
    columns, order = a[2], carray(integers(f[F.ORDER]), f[F.ROWS])
    out = carray(pointer(a[1]), (f[F.ROWS], columns))
    for i in range(order.size):
        row = carray(pointer(f[a[0]] + order[i] * columns * out.itemsize), columns)
        for j in range(columns):
            out[i, j] = row[j]


def scatter(a_, f_):
    """The rows of the outputs that ORDER names = y (rows, columns), where outputs are wanted; a = y, columns."""
    a, f = carray(a_, 2), carray(f_, LENGTH)
    columns, order = a[1], carray(integers(f[F.ORDER]), f[F.ROWS])
    y = carray(pointer(a[0]), (f[F.ROWS], columns))
    if f[F.OUTPUTS] != 0:
        for i in range(order.size):
            row = carray(pointer(f[F.OUTPUTS] + order[i] * columns * y.itemsize), columns)
            for j in range(columns):
                row[j] = y[i, j]


def transpose(a_, f_):
    """out (columns, rows) = the transpose of b, once a step; a = b, out, rows, columns. Eight numbers at a time."""
    a, f = carray(a_, 4), carray(f_, LENGTH)
    if f[F.FRESH]:
        b, out = carray(pointer(a[0]), (a[2], a[3])), carray(pointer(a[1]), (a[3], a[2]))
        whole = a[2] - a[2] % 8
        for start in range(0, whole, 8):
            for j in range(a[3]):
                for i in range(8):
                    out[j, start + i] = b[start + i, j]
        for i in range(whole, a[2]):
            for j in range(a[3]):
                out[j, i] = b[i, j]


@inline
def mixed(x):
    """`tinynet.random.mixed` of one number: numba widens 32-bit arithmetic, so each line cuts it back."""
    x = unsigned(x ^ (x >> unsigned(16)))
    x = unsigned(x * unsigned(0x85EBCA6B))
    x = unsigned(x ^ (x >> unsigned(13)))
    x = unsigned(x * unsigned(0xC2B2AE35))
    return unsigned(x ^ (x >> unsigned(16)))


@inline
def key_after(key, salt, seed, layer, step):
    """`tinynet.random.stream_key`: the key that follows `key`."""
    key = unsigned(key + salt)
    key = unsigned(mixed(unsigned(key ^ unsigned(seed))) + salt)
    key = unsigned(mixed(unsigned(key ^ unsigned(seed >> 32))) + salt)
    key = unsigned(mixed(unsigned(key ^ unsigned(layer))) + salt)
    return unsigned(mixed(unsigned(key ^ unsigned(step))) + salt)


def dropout(a_, f_):
    """out = x over the share that stays where the hash keeps an element, else 0; a = x, out, columns, seed, layer,
    the rate as the least number that stays, the scale."""
    a, f = carray(a_, 7), carray(f_, LENGTH)
    size, step = f[F.ROWS] * a[2], f[F.STEP]
    x, out, scale = carray(pointer(a[0]), size), carray(pointer(a[1]), size), real(carray(doubles(a[6]), 1)[0])
    first = key_after(unsigned(0), unsigned(0x9E3779B9), a[3], a[4], step)
    second = key_after(first, unsigned(0x7F4A7C15), a[3], a[4], step)
    start, least = unsigned(f[F.FIRST_ROW] * a[2]), unsigned(a[5])
    for k in range(size):
        element = unsigned(start + unsigned(k))
        chance = mixed(unsigned(mixed(unsigned(element ^ first)) + second))
        out[k] = x[k] * (real(1) if chance >= least else real(0)) * scale


@inline
def code_of(value, count):
    """The row of a table that a code names, held inside the table."""
    code = np.int64(value)
    return max(np.int64(0), min(code, count - 1))


def embed(a_, f_):
    """As the operation; a = x, its columns, out, its columns, how many others, how many tables, the others, then for
    each table its address, rows, columns and the column of x that names a row."""
    a, f = carray(a_, 6), carray(f_, LENGTH)
    others, tables, rows = a[4], a[5], f[F.ROWS]
    x, out = carray(pointer(a[0]), (rows, a[1])), carray(pointer(a[2]), (rows, a[3]))
    more = carray(a_, 6 + others + 4 * tables)
    for i in range(rows):
        for j in range(others):
            out[i, j] = x[i, more[6 + j]]
        start = others
        for t in range(tables):
            place = 6 + others + 4 * t
            width = more[place + 2]
            code = code_of(x[i, more[place + 3]], more[place + 1])
            vector = carray(pointer(more[place] + code * width * x.itemsize), width)
            for j in range(width):
                out[i, start + j] = vector[j]
            start += width


def embed_grad(a_, f_):
    """As the operation, sums starting anew in a fresh step; a = x, its columns, da, its columns, how many others, how
    many tables, dx or 0, the others, then for each table's gradient its address, rows, columns, column of x."""
    a, f = carray(a_, 7), carray(f_, LENGTH)
    others, tables, rows = a[4], a[5], f[F.ROWS]
    x, da = carray(pointer(a[0]), (rows, a[1])), carray(pointer(a[2]), (rows, a[3]))
    more = carray(a_, 7 + others + 4 * tables)
    start = others
    for t in range(tables):
        place = 7 + others + 4 * t
        width = more[place + 2]
        table = carray(pointer(more[place]), (more[place + 1], width))
        if f[F.FRESH]:
            table[:, :] = 0
        for i in range(rows):
            code = code_of(x[i, more[place + 3]], more[place + 1])
            for j in range(width):
                table[code, j] += da[i, start + j]
        start += width
    if a[6] != 0:
        dx = carray(pointer(a[6]), (rows, a[1]))
        dx[:, :] = 0
        for i in range(rows):
            for j in range(others):
                dx[i, more[7 + j]] = da[i, j]


def reduce_gradients(a_, f_):
    """g += the other threads' g, in their order; a = g, size, how many others, their addresses."""
    a = carray(a_, 3)
    g, more = carray(pointer(a[0]), a[1]), carray(a_, 3 + a[2])
    for t in range(a[2]):
        other = carray(pointer(more[3 + t]), a[1])
        for k in range(g.size):
            g[k] += other[k]


@summing
def total_of(d):
    total = d.dtype.type(0)
    for k in range(d.size):
        total += d[k]
    return total


def finite_part(a_, f_):
    """Whether this thread's loss and its slice of the gradients are finite; a = g, size, where to say so."""
    a, f = carray(a_, 3), carray(f_, LENGTH)
    loss = carray(doubles(f[F.SELF]), LENGTH)[F.VALUE]
    carray(doubles(a[2]), 1)[0] = total_of(carray(pointer(a[0]), a[1])) + (loss - loss)  # 0, or NaN


def finite_whole(a_, f_):
    """ALIVE stays 1 where all threads' parts are finite; a = the first part, how many (each on a line of its own)."""
    a, f = carray(a_, 2), carray(f_, LENGTH)
    parts = carray(doubles(a[0]), 8 * a[1])
    for t in range(a[1]):
        if not np.isfinite(parts[8 * t]):
            f[F.ALIVE] = 0


@summing
def squares_of(d):
    total = 0.0
    for k in range(d.size):
        value = types.float64(d[k])
        total += value * value
    return total


def square_part(a_, f_):
    """This thread's part of a sum of squares; a = g, size, where to put it."""
    a = carray(a_, 3)
    carray(doubles(a[2]), 1)[0] = squares_of(carray(pointer(a[0]), a[1]))


def square_whole(a_, f_):
    """The sum of all threads' parts; a = the first part, how many (each on a line of its own), out."""
    a = carray(a_, 3)
    parts, total = carray(doubles(a[0]), 8 * a[1]), 0.0
    for t in range(a[1]):
        total += parts[8 * t]
    carray(pointer(a[2]), 1)[0] = total


def advance(a_, f_):
    """STEP += 1."""
    f = carray(f_, LENGTH)
    f[F.STEP] += 1
