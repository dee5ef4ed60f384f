"""The stand-in for the GPU refuses what CUDA would, and what would be something else than is meant: planted faults."""

import numpy as np
import pytest
from device_cases import everything
from paired_devices import Case

from tinynet.backends import cupy_encoding, cupy_machine
from tinynet.backends.cupy_draft import Launch, Place
from tinynet.backends.cupy_driver import Gemm
from tinynet.backends.cupy_emulator import EmulatedDriver, FaultError
from tinynet.backends.cupy_encoding import Encoder
from tinynet.backends.cupy_memory import Buffer, Work
from tinynet.backends.cupy_source import Kernel
from tinynet.gpu_check import Guarded, Trial, rung_a
from tinynet.layers import Dense


@pytest.fixture
def driver():
    made = EmulatedDriver()
    made.noting = True
    return made


KERNEL = Kernel("k", "float32", (("float *", "x"), ("unsigned", "n"), ("double", "c")), "x[0] = n;")


def launched(buffer, **changed):
    given = {"kernel": KERNEL, "grid": 2, "block": 32, "arguments": [buffer.place, 40, 0.5], "items": 40} | changed
    return Launch(**given)


def test_a_sound_launch_is_taken(driver):
    buffer = Buffer(driver, 160)
    driver.launch(launched(buffer))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"grid": 1}, "do not cover 40 elements"),
        ({"grid": 0}, "no GPU launches 0 blocks"),
        ({"block": 40}, "no GPU launches 2 blocks of 40 threads"),
        ({"block": 2048}, "no GPU launches"),
        ({"grid": 2**31}, "no GPU launches"),
        ({"arguments": [Place(64, 160), 40, 0.5]}, "lie in no memory that is owned"),
        ({"arguments": [40, 40, 0.5]}, "x is a pointer"),
        ({"arguments": None}, "takes 3 arguments"),
    ],
)
def test_senseless_launches(driver, changed, words):
    buffer = Buffer(driver, 160)
    if changed.get("arguments", 0) is None:
        changed = {"arguments": [buffer.place, 40]}
    with pytest.raises(FaultError, match=words):
        driver.launch(launched(buffer, **changed))


def test_arguments_of_the_wrong_kind_and_beyond_the_end(driver):
    buffer = Buffer(driver, 160)
    for arguments in ([buffer.place, 40.0, 0.5], [buffer.place, buffer.place, 0.5]):
        with pytest.raises(FaultError, match="n is unsigned"):
            driver.launch(launched(buffer, arguments=arguments))
    for place in (Place(buffer.address + 4, 160), Place(buffer.address - 4, 160)):
        with pytest.raises(FaultError, match="lie in no memory"):
            driver.launch(launched(buffer, arguments=[place, 40, 0.5]))
    with pytest.raises(FaultError, match="not aligned"):
        driver.launch(launched(buffer, arguments=[Place(buffer.address + 2, 8), 40, 0.5]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"lda": 3}, "columns of a have 4 numbers and begin 3 apart"),
        ({"ldc": 5}, "c reaches over"),
        ({"trans_a": True}, "begin 4 apart"),
        ({"k": 7}, "reaches over"),
        ({"n": 4}, "reaches over"),
    ],
)
def test_senseless_products(driver, changed, words):
    """a (4, 6) b (6, 3) = c (4, 3), column by column."""
    buffers = [Buffer(driver, 4 * size) for size in (24, 18, 12)]
    a, b, c = (buffer.place for buffer in buffers)
    product = Gemm("float32", False, False, 4, 3, 6, a, 4, b, 6, False, c, 4)
    if words is None:
        driver.gemm(product)
        with pytest.raises(FaultError, match="over an operand"):
            driver.gemm(product._replace(c=Place(a.address + 32, 48)))
    else:
        with pytest.raises(FaultError, match=words):
            driver.gemm(product._replace(**changed))


def test_nothing_allocates_copies_or_waits_while_a_graph_is_captured(driver):
    buffer = Buffer(driver, 8)
    calls = [
        lambda: driver.allocate(8), lambda: buffer.put(np.zeros(1)), lambda: buffer.take(np.zeros(1)), driver.wait,
        lambda: driver.load([KERNEL], "float32"), lambda: driver.replay([]), driver.begin_capture,
    ]  # fmt: skip
    driver.begin_capture()
    for call in calls:
        with pytest.raises(FaultError, match="while a graph is captured"):
            call()
    assert driver.end_capture() == []


def test_a_graph_whose_memory_was_given_back(driver):
    driver.noting = False
    a, b, c = (Buffer(driver, 64) for _ in range(3))
    driver.begin_capture()
    driver.gemm(Gemm("float32", False, False, 4, 4, 4, a.place, 4, b.place, 4, False, c.place, 4))
    graph = driver.end_capture()
    driver.replay(graph)
    del b
    with pytest.raises(FaultError, match="gemm: b: 64 bytes"):
        driver.replay(graph)


# Faults in the backend itself


def trial_step(driver, rows=8):
    case = Case(everything, 3, dtype="float32", batch=rows, rows=rows, x=lambda rng, n: np.zeros((n, 3)))
    *_, theirs, _, _ = case.paired(driver)
    return theirs.machine("step", rows)


def test_a_whole_program_is_sound_and_captured(driver):
    machine = trial_step(driver)
    assert len(machine.graph(16)) == 16 * len(machine.items)


def test_the_plan_is_too_small(driver, monkeypatch):
    monkeypatch.setattr(Work, "place", lambda self, tensor: Place(self.buffer.address + self.buffer.nbytes, 64))
    with pytest.raises(FaultError, match="lie in no memory that is owned"):
        trial_step(driver).graph(1)


def test_a_product_with_its_flags_exchanged(driver, monkeypatch):
    sound = Encoder.gemm

    def exchanged(self, row):
        g = sound(self, row)
        return g._replace(trans_a=g.trans_b, trans_b=g.trans_a)

    monkeypatch.setattr(Encoder, "gemm", exchanged)
    with pytest.raises(FaultError, match="gemm"):
        trial_step(driver).graph(1)


def test_a_buffer_made_while_capturing(driver, monkeypatch):
    monkeypatch.setattr(cupy_machine.Machine, "issue", lambda self: self.driver.allocate(64) and None)
    with pytest.raises(FaultError, match="allocate while a graph is captured"):
        trial_step(driver).graph(1)
    assert driver.captured is None


def test_too_few_blocks(driver, monkeypatch):
    from tinynet.backends import cupy_draft

    monkeypatch.setattr(cupy_draft, "blocks", lambda items, threads=256: 1)
    case = Case(lambda: [Dense(40, "tanh"), Dense(2)], 5, dtype="float32", rows=64, batch=64)
    *_, theirs, _, _ = case.paired(driver)
    with pytest.raises(FaultError, match="do not cover"):
        theirs.machine("step", 64).graph(1)


def test_a_layer_that_reaches_past_the_table():
    class Sneaky(Dense):
        def forward(self, ops, m, x, training):
            ops.numpy_matmul(x, m.W, m.z)
            return m.a

    with pytest.raises(AssertionError, match="reached past the table of operations, for 'numpy_matmul'"):
        rung_a([Trial(lambda: [Sneaky(2)], "mean_squared_error", "sgd", "float64")])
    assert callable(Guarded().gemm)


def test_what_cannot_be_replayed_is_refused_in_one_sentence(driver):
    class Slots(Dense):
        def forward(self, ops, m, x, training):
            super().forward(ops, m, x, training)
            ops.advance(m.step)
            return m.a

    case = Case(lambda: [Slots(2)], 5, dtype="float32")
    *_, theirs, _, _ = case.paired(driver)
    with pytest.raises(
        cupy_encoding.UnsupportedError, match='backend "cupy" cannot replay advance: it stands anywhere'
    ):
        theirs.prepare(8)
