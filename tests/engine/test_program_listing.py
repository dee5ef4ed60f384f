"""What `print(model.program())` says: every operation, and the FLOPs and bytes that one counts by hand."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet.formulas.formula import Formula
from tinynet.operations import OPERATIONS

quiet = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": [*HealthCheck]}


def compiled(layers, loss="mse", optimizer="sgd", columns=3):
    model = tn.Sequential(layers)
    model.build([columns])
    model.compile(optimizer, loss)
    return model


def gemms(program, n=None):
    return [work for row, work, _ in program.describe(n) if row.operation == "gemm"]


def test_gemm_flops_of_a_known_network():
    """30-16-1 on 32 rows; a product (n, k) (k, m) is 2 n k m: n m sums of k products."""
    program = compiled([tn.layers.Dense(16, "relu"), tn.layers.Dense(1, "sigmoid")], columns=30).program(32)
    forth = [2 * 32 * 30 * 16, 2 * 32 * 16 * 1]
    back = [2 * 16 * 32 * 1, 2 * 32 * 1 * 16, 2 * 30 * 32 * 16]  # dW2, da1, dW1; nobody asks for dx
    assert gemms(program) == forth + back
    assert gemms(program, 1) == [work // 32 for work in forth + back]


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.integers(1, 300))
@settings(max_examples=20, **quiet)
def test_gemm_flops_of_any_dense_network(widths, n):
    """Three products a layer, but two for the first: 6 n k m in all, without the first layer's dx."""
    program = compiled([tn.layers.Dense(m) for m in widths[1:]], columns=widths[0]).program(n)
    products = [2 * n * k * m for k, m in pairwise(widths)]
    assert sum(gemms(program)) == 3 * sum(products) - products[0]


def test_flops_of_the_other_operations_by_hand():
    """Dense(4, relu) and Dense(2) on 5 rows of 3 columns, mean squared error, SGD, one penalty."""
    penalty = tn.regularizers.L2(0.1)
    layers = [tn.layers.Dense(4, "relu", kernel_regularizer=penalty), tn.layers.Dropout(0.5), tn.layers.Dense(2)]
    model = compiled(layers)
    work = [(row.operation, flops) for row, flops, _ in model.program(5).describe() if row.operation != "gemm"]
    size = model.network.size
    assert work == [
        ("gather", 0), ("gather", 0), ("gather", 0),
        ("bias_activation", 5 * 4 * 2),  # + b, max
        ("dropout", 5 * 4 * 2),  # times the mask, times 1 / (1 - rate)
        ("bias_activation", 5 * 2 * 1),  # + b
        ("loss_grad", 5 * 2 * (2 + 2 + 2)),  # y - t, squared; 2 (y - t); times the weight, and summed
        ("regularize", 3 * 4 * (5 + 1)),  # l1 |p| + l2 p^2, summed
        ("activation_grad", 5 * 2 * 1),
        ("column_sum", 5 * 2),
        ("dropout", 5 * 4 * 2),
        ("activation_grad", 5 * 4 * (1 + 2)),  # times the slope: a comparison and a choice
        ("column_sum", 5 * 4),
        ("regularize_grad", 3 * 4 * (4 + 1)),  # l1 sign p + (2 l2) p, added
        ("finite_guard", size),
        ("advance", 0),
        ("update", size * 2),  # p - learning_rate g
    ]  # fmt: skip


@given(networks(dtype="float32", optimizer={"name": "adam", "clipnorm": 1.0}), st.integers(1, 64))
@settings(max_examples=50, **quiet)
def test_the_listing_names_every_operation_with_its_tensors(drawn, n):
    drawn.model.build([drawn.x.shape[1]])
    for training in (True, False):
        program = drawn.model.program(n, training)
        lines = str(program).splitlines()
        assert len(lines) == len(program.rows) + 2  # a head and a sum
        assert f"n = {n}" in lines[0]
        for line, (row, work, nbytes) in zip(lines[1:-1], program.describe(), strict=True):
            flops, size, operation = line.split()[:3]
            assert operation == row.operation
            assert int(flops.replace(",", "")) == work
            assert int(size.replace(",", "")) == nbytes
            assert all(str(tensor) in line for tensor in row.tensors())
            assert all(repr(f) in line for f in row.arguments.values() if isinstance(f, Formula))
        assert f"{sum(work for _, work, _ in program.describe()):,}" in lines[-1]
        assert f"{program.plan().nbytes:,} bytes" in lines[-1]


@given(networks(dtype="float32"))
@settings(max_examples=50, **quiet)
def test_only_moving_and_counting_is_free(drawn):
    drawn.model.build([drawn.x.shape[1]])
    for row, work, nbytes in drawn.model.program(8).describe():
        formula = row.arguments.get("f")
        free = row.operation in ("gather", "embed", "advance") or (
            row.operation == "apply" and formula.name == "linear"
        )
        assert (work == 0) == free, row
        assert nbytes > 0


def test_bytes_are_those_of_the_tensors_named():
    program = compiled([tn.layers.Dense(4, "tanh")]).program(10)
    (product,) = (nbytes for row, _, nbytes in program.describe() if row.operation == "gemm" and "trans_a" not in
                  row.arguments)  # fmt: skip
    assert product == 4 * (10 * 3 + 3 * 4 + 10 * 4)  # x, W and z in float32


FUSED = {
    ("binary_crossentropy", "sigmoid"): "binary_crossentropy_from_logits",
    ("categorical_crossentropy", "softmax"): "categorical_crossentropy_from_logits",
    ("sparse_categorical_crossentropy", "softmax"): "sparse_categorical_crossentropy_from_logits",
}


@pytest.mark.parametrize(("loss", "activation"), FUSED)
@pytest.mark.parametrize("end", ["Dense", "Activation"])
def test_the_listing_shows_the_fused_formula_on_logits(loss, activation, end):
    last = [tn.layers.Dense(3, activation)]
    if end == "Activation":
        last = [tn.layers.Dense(3), tn.layers.Activation(activation)]
    program = compiled(last, loss).program(4)
    (row,) = (row for row in program.rows if row.operation == "loss_grad")
    assert row.arguments["f"].name == FUSED[loss, activation]
    assert row.arguments["y"].name == ("z1" if end == "Dense" else "a1")
    assert FUSED[loss, activation] in str(program)
    slopes = [row.arguments["f"].name for row in program.rows if row.operation == "activation_grad"]
    assert activation not in slopes  # the calculus cancels: dz = a - t


@pytest.mark.parametrize(
    ("loss", "end"),
    [("binary_crossentropy", "softmax"), ("categorical_crossentropy", "sigmoid"), ("mean_squared_error", "sigmoid")],
)
def test_what_does_not_cancel_is_not_fused(loss, end):
    program = compiled([tn.layers.Dense(3, end)], loss).program(4)
    assert "from_logits" not in str(program)
    assert any(row.operation == "activation_grad" and row.arguments["f"].name == end for row in program.rows)


def test_programs_of_all_kinds_use_the_whole_table():
    generator = np.random.default_rng(0)
    layers = [
        tn.layers.Embedding(0, 3, 2),
        tn.layers.Dense(4, "gelu", kernel_regularizer="l2"),
        tn.layers.LayerNormalization(),
        tn.layers.Dropout(0.2),
        tn.layers.Dense(1),
    ]
    model = compiled(layers, optimizer=tn.optimizers.Adam(clipnorm=float(generator.uniform(1, 2))))
    assert {row.operation for row in model.program(8).rows} == set(OPERATIONS)
