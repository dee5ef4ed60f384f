"""Products of matrices as rows of numbers: by this backend's own kernels where they are small, else by BLAS."""

from __future__ import annotations

from tinynet.backends import numba_frame as F
from tinynet.backends.numba_blas import gemm_address
from tinynet.backends.numba_code import address_of_template
from tinynet.backends.numba_places import Places, refuse
from tinynet.network import aligned_zeros
from tinynet.recorder import Row, Tensor, array_pointer

# A product of up to this many multiplications comes here. Measured, one thread, float32, AVX2, beside OpenBLAS: three
# times as fast at 32 x 16 x 16, 1.8 times at 32 x 64 x 128, 1.2 times at 32 x 512 x 512; level at 512 x 128 x 128.
LARGEST = 2**23
IN_CACHE = 2**20  # as many multiplications of a block of rows by a layer's weights keep everything in the cache


class Products(Places):
    """How `gemm` and `column_sum` are carried out; a bias that follows a product of our own is what it begins with."""

    def gemm(self, row: Row) -> list[tuple[int, int, int]]:
        """out = a b, by a kernel of our own where the product is small, else by BLAS."""
        a, b, out = (row.arguments[name] for name in ("a", "b", "out"))
        trans_a, trans_b, accumulate = (row.arguments.get(name, False) for name in ("trans_a", "trans_b", "accumulate"))
        if out.per_row and a.per_row and not trans_a and not b.per_row:
            rows, inner = F.FRAME_ROWS, self.columns(a)
        elif not out.per_row and a.per_row and trans_a and b.per_row and not trans_b and out.space == "gradients":
            rows, inner = self.columns(a), F.FRAME_ROWS
            if not accumulate:
                self.sum_once(row, out)
            elif out.name not in self.summed:
                raise refuse(row, f"it adds to {out.name}, in which nothing is summed yet")
        else:
            raise refuse(row, "it is neither samples times parameters nor a sum over samples")
        later_blocks = trans_a and not accumulate  # a sum over samples begins anew in a step's first block
        place, before = self.address(b), []
        small = self.is_small(a, b, out)
        if trans_b and 1 in b.shape:  # a matrix of one row or column is its own transpose in memory
            trans_b = False
        elif trans_b and small:
            copy = aligned_zeros(b.sizes(1), self.shared.dtype)
            self.kept.append(copy)
            before = [self.move("transpose", [b, array_pointer(copy), *b.sizes(1)])]
            place, trans_b = array_pointer(copy), False
        shape, width = (rows, inner, self.columns(out)), self.columns(a)
        if small:
            line = self.itemsize * (shape[2] if shape[2] > 1 or not trans_a else width)
            start = (self.address(out), line) if accumulate or later_blocks else (0, 0)
            if (bias := self.bias_of(self.index)) is not None:
                start = self.address(bias), 0
            steps = self.own_product(shape, self.address(a), width, trans_a, place, self.address(out))
            return [*before, self.product(*steps, *start, int(later_blocks))]
        height = width if trans_b else shape[2]  # of b as it lies in memory now
        beta = 2 if later_blocks else int(accumulate)
        return [self.blas(shape, self.address(a), width, trans_a, place, height, trans_b, out, beta)]

    def is_small(self, a: Tensor, b: Tensor, out: Tensor) -> bool:
        return self.shared.block * self.columns(a) * self.columns(b if out.per_row else out) <= LARGEST

    def bias_of(self, index: int) -> Tensor | None:
        """What the operation after this one adds to its product, where that is our own and begins with it then."""
        row, following = self.program.rows[index], self.program.rows[index + 1 : index + 2]
        if row.operation != "gemm" or not following or following[0].operation != "bias_activation":
            return None
        a, b, out = (row.arguments[name] for name in ("a", "b", "out"))
        bias: Tensor = following[0].arguments["b"]
        fits = following[0].arguments["z"].name == out.name and bias.shape == out.shape[-1:]
        return bias if fits and not row.arguments.get("accumulate", False) and self.is_small(a, b, out) else None

    def own_product(
        self, shape: tuple[int, int, int], a: int, width: int, trans_a: bool, b: int, out: int
    ) -> tuple[str, list[int]]:
        """The kernel and its arguments. `a` is (n, width), or its transpose; `b` as it enters, (inner, columns)."""
        (rows, inner, columns), size = shape, self.itemsize
        if columns > 1:
            steps = (size, width * size) if trans_a else (width * size, size)
            return "product", [rows, inner, columns, out, columns * size, a, *steps, b, columns * size]
        if not trans_a:
            return "product_with_column", [rows, inner, 1, out, size, a, width * size, size, b, size]
        # A column of sums lies in memory as a row does: out^T (1, width) = b^T (1, n) a (n, width).
        return "product", [1, inner, width, out, width * size, b, 0, size, a, width * size]

    def product(self, template: str, arguments: list[int], *start: int) -> tuple[int, int, int]:
        function = address_of_template("numba_products", template, self.dtype)
        return self.coded(F.CALL, function, [*arguments, *start])

    def column_sum(self, row: Row) -> list[tuple[int, int, int]]:
        """A sum of rows is their product with ones."""
        d, out = row.arguments["d"], row.arguments["out"]
        self.sum_once(row, out)
        one, line, to = self.shared.pool.address(self.dtype, 1.0), self.columns(d) * self.itemsize, self.address(out)
        arguments = [1, F.FRAME_ROWS, self.columns(d), to, line, one, 0, 0, self.address(d), line]
        return [self.product("product", arguments, to, line, 1)]

    def blas(
        self, shape: tuple[int, int, int], a: int, a_width: int, trans_a: bool, b: int, b_width: int, trans_b: bool,
        out: Tensor, add: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        """BLAS counts columns first, so it sees every matrix transposed: it is asked for out^T = b^T a^T.

        `add` is 1 where out is added to, 2 where it is so after a step's first block.
        """
        pool, frame = self.shared.pool, array_pointer(self.frame)

        def whole(n: int) -> int:
            return frame + 8 * F.ROWS if n == F.FRAME_ROWS else pool.address("int64", n)

        one, zero = pool.address(self.dtype, 1.0), pool.address(self.dtype, 0.0)
        fresh = frame + 8 * (F.BETA32 if self.dtype == "float32" else F.BETA64)
        beta = (zero, one, fresh)[add]
        letters = [pool.address("int64", ord("T" if trans else "N")) for trans in (trans_b, trans_a)]
        rows, inner, columns = shape
        pointers = [
            *letters, whole(columns), whole(rows), whole(inner), one, b, whole(b_width), a, whole(a_width), beta,
            self.address(out), whole(columns),
        ]  # fmt: skip
        return self.coded(F.BLAS, gemm_address(self.dtype), pointers)
