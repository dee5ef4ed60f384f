"""How a run on the device behaves: streamed data, failing steps, callbacks, repetition, and the word in compile."""

import copy
import pickle

import numpy as np
import pytest
from device_cases import OPTIMIZERS, codes_and_numbers, everything
from paired_devices import COMPILER, Case, driver_for
from paired_training import distance

import tinynet as tn
from tinynet import backends
from tinynet.backends import cupy_cuda, cupy_machine, cupy_memory, cupy_training
from tinynet.backends.cupy_memory import Work
from tinynet.gpu_check import Trial, parity, poison, replays
from tinynet.layers import Dense, Dropout
from tinynet.training import NonFiniteError

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++) to run the GPU's kernels on the CPU")


def whole():
    return Case(everything, 3, OPTIMIZERS["global_clipnorm"], dtype="float64", x=codes_and_numbers)


def small():
    return Case(lambda: [Dense(7, "tanh"), Dropout(0.2), Dense(2)], 5, dtype="float64", rows=137)


def model(**compiled):
    tn.set_random_seed(0)
    layers = [tn.layers.Dense(8, "gelu"), tn.layers.Dropout(0.2), tn.layers.Dense(1, "sigmoid")]
    made = tn.Sequential(layers, dtype="float64")
    made.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["auc"], **compiled})
    return made


X = np.random.default_rng(0).standard_normal((200, 5))
Y = (X[:, :1] * X[:, 1:2] > 0).astype(float)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where compiled kernels are kept from test to test."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def driver(folder):
    return driver_for([whole(), small()], folder=folder)


def test_many_steps_in_one_launch(driver):
    """137 rows by 4: 34 full batches, 2 to begin with, then 16 at a time."""
    case = small()
    case.batch = 4
    case.agree(driver)
    # full batches: 2 eager steps and 2 launches, then 2 launches and 2 steps an epoch; the last: its third is a graph
    assert driver.calls["replay"] == 2 + 4 + (4 + 1) + (4 + 1)
    assert driver.calls["begin_capture"] == 3


@pytest.mark.parametrize("batches", [1, 3])
def test_data_that_do_not_fit_are_streamed(driver, monkeypatch, batches):
    for case in (small(), whole()):
        a_row = case.batch * 8 * 8 * batches
        monkeypatch.setattr(cupy_memory, "STREAMED_BYTES", a_row)
        driver.free_now = 1000
        _, theirs = case.agree(driver)
        assert not any(table.resident for _, _, table in theirs.tables.values())


def test_threads_and_blocks_in_any_order_and_twice(folder):
    """What depended on the order of threads, or on memory that nobody wrote, would show in the last bit."""
    ends = []
    for backwards in (False, True, False):
        case = whole()
        other, _ = case.agree(driver_for([case], backwards=backwards, folder=folder))
        ends.append(np.concatenate([w.ravel() for w in other.get_weights()]))
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


@pytest.mark.parametrize("failing", [0, 1, 5, 20])
def test_a_step_that_is_not_finite_stops_the_rest_of_its_launch(driver, failing):
    case = small()
    case.batch = 4
    model, ours, other, theirs, _, data = case.paired(driver)
    order = np.arange(137)
    data["X"][4 * failing + 1] = 1e200
    data["T"][4 * failing + 1] = 1e300
    messages = []
    for training in (ours, theirs):
        with pytest.raises(NonFiniteError) as error:
            training.epoch(data, order, 4)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert f"step {failing + 1} (batch {failing + 1} of" in messages[0]
    assert distance(other.get_weights(), model.get_weights()) <= 1e-12
    assert theirs.network.step[0] == ours.network.step[0] == failing + 1
    assert not theirs.network.alive[0]
    data = {name: np.where(abs(array) < 1e9, array, 0.0) for name, array in data.items()}  # and on it goes
    assert theirs.epoch(data, order, 4) == pytest.approx(ours.epoch(data, order, 4), rel=1e-9)


def test_after_batch_sees_every_loss_and_changes_the_weights(driver, monkeypatch):
    monkeypatch.setattr(cupy_training, "FIRST_STRETCH", 5)
    monkeypatch.setattr(cupy_training, "STRETCH_SECONDS", 0.0)
    monkeypatch.setattr(cupy_training, "TRANSFER_SHARE", 0)
    *_, ours, other, theirs, _, data = small().paired(driver)
    losses = [[], []]
    for training, kept in zip((ours, theirs), losses, strict=True):
        training.epoch(data, np.arange(137), 8, None, lambda batch, loss, kept=kept: kept.append((batch, loss)))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9)
    assert [batch for batch, _ in losses[0]] == list(range(18))

    def reset(batch, loss):
        if batch == 17:
            return
        for weight in theirs.network.parameter_list():
            weight[...] = 0.0
        theirs.optimizer.slots[...] = 0.0

    theirs.epoch(data, np.arange(137), 8, None, reset)
    last = np.concatenate([w.ravel() for w in other.get_weights()])
    assert np.abs(last).max() < 0.05  # a step or a few away from zero


def test_outputs_of_an_unfinished_epoch_and_of_some_rows(driver):
    *_, ours, _, theirs, _, data = small().paired(driver)
    order = np.array([3, 9, 100, 5, 77])
    outputs = [np.full((137, 2), 7.0), np.full((137, 2), 7.0)]
    for training, said in zip((ours, theirs), outputs, strict=True):
        training.epoch(data, order, 2, said)
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-10)
    assert (outputs[1][0] == 7.0).all()
    with pytest.raises(IndexError, match="order names rows from 0 to 137; there are 137"):
        theirs.epoch(data, np.array([0, 137]), 2)


def test_nothing_to_do(driver):
    *_, theirs, _, data = small().paired(driver)
    nothing = {name: array[:0] for name, array in data.items()}
    with pytest.raises(ZeroDivisionError):
        theirs.epoch(nothing, np.arange(0), 8)
    theirs.predicted(nothing["X"], np.zeros((0, 2)))


def test_other_data_are_copied_again(driver):
    *_, ours, _, theirs, rng, data = small().paired(driver)
    for _ in range(4):
        data = {name: rng.uniform(0, 1, array.shape) for name, array in data.items()}
        for training in (ours, theirs):
            training.said = training.epoch(data, np.arange(137), 8)
        assert theirs.said == pytest.approx(ours.said, rel=1e-10)
    assert len(theirs.tables) == cupy_training.KEPT_TABLES


def test_memory_is_given_back(driver):
    before = len(driver.memory)
    small().agree(driver)
    assert len(driver.memory) == before


def test_copies_and_pickles_make_their_own(driver, monkeypatch):
    *_, theirs, _, data = small().paired(driver)
    expected = theirs.epoch(data, np.arange(137), 8)
    monkeypatch.setattr(cupy_cuda, "cuda_driver", lambda: driver)
    *_, again, _, data = small().paired(driver)
    for copied in (pickle.loads(pickle.dumps(again)), copy.deepcopy(again)):
        assert copied.epoch(data, np.arange(137), 8) == pytest.approx(expected, rel=1e-12)


def test_rung_e_itself_on_the_emulated_device(driver):
    """What gpu-check asks of a GPU, asked of the stand-in."""
    driver.kernels = {"float32": set(), "float64": set()}
    trial = Trial(lambda: [Dense(7, "tanh"), Dropout(0.2), Dense(2)], "mean_squared_error", "adam", "float64")
    steady = Trial(lambda: [Dense(7, "tanh"), Dense(2)], "huber", "adamw", "float64")
    said = []
    assert "1 networks train as NumPy does" in parity([steady], driver, said.append)
    assert trial.agree(driver) <= 1.0
    assert "64 replays with poisoned memory end at the same bits" in replays(driver, 64, said.append)
    poison(driver)
    assert said


def test_rung_e_sees_a_wrong_gradient_and_wrong_weights(driver, monkeypatch):
    steady = Trial(lambda: [Dense(7, "tanh"), Dense(2)], "huber", "adamw", "float64")
    sound = cupy_machine.Machine.__init__

    def without_last_product(self, *given):
        sound(self, *given)
        self.items = [item for i, item in enumerate(self.items) if i != 8]

    monkeypatch.setattr(cupy_machine.Machine, "__init__", without_last_product)
    with pytest.raises(AssertionError, match="times the tolerance"):
        parity([steady], driver, lambda text: None)


@pytest.mark.parametrize("fault", ["beta", "transposed", "a row too few", "a plan that overlaps"])
def test_planted_faults_are_seen(driver, monkeypatch, fault):
    if fault in ("beta", "transposed"):
        sound = type(driver).gemm

        def wrong(self, g):
            other = g._replace(accumulate=True) if fault == "beta" else g._replace(a=g.b, b=g.a) if g.m == g.n else g
            sound(self, other)

        monkeypatch.setattr(type(driver), "gemm", wrong)
        case = Case(lambda: [Dense(8, "tanh"), Dense(8)], 8, dtype="float64", rows=32)
    elif fault == "a row too few":
        case = small()
        monkeypatch.setattr(
            cupy_machine.Machine, "run", lambda self, batches, sound=cupy_machine.Machine.run: sound(self, batches - 1)
        )
    else:
        case = small()
        place = Work.place
        monkeypatch.setattr(Work, "place", lambda self, t: place(self, t)._replace(address=self.buffer.address))
    with pytest.raises((AssertionError, NonFiniteError)):
        case.agree(driver)


# The word in compile


@pytest.fixture
def emulated(driver, monkeypatch):
    """This process has a GPU, as far as it knows."""
    monkeypatch.setattr(cupy_cuda, "lacking", lambda: None)
    monkeypatch.setattr(cupy_cuda, "cuda_driver", lambda: driver)


def test_a_model_on_the_device_gives_numpys_numbers(emulated, tmp_path):
    """Metrics, validation, a schedule, callbacks, prediction, saving and all."""
    found = []
    for backend in ("numpy", "cupy"):
        rate = tn.schedules.CosineDecay(1e-2, 30)
        made = model(optimizer=tn.optimizers.AdamW(rate), backend=backend)
        stop = tn.callbacks.EarlyStopping(patience=9, restore_best_weights=True)
        history = made.fit(X, Y, epochs=3, validation_split=0.2, callbacks=[stop], verbose=0).history
        assert made.backend == backend
        found.append((history, made.predict(X), made.evaluate(X, Y), made))
    (first, y, loss, _), (second, other, again, made) = found
    for name, values in first.items():
        assert second[name] == pytest.approx(values, rel=1e-9), name
    np.testing.assert_allclose(other, y, rtol=1e-9)
    assert again == pytest.approx(loss, rel=1e-9)
    made.save(tmp_path / "model.tinynet")
    back = tn.load_model(tmp_path / "model.tinynet")
    for mine, theirs in zip(made.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(back.predict(X), other, rtol=1e-9)
    back.compile("sgd", "binary_crossentropy", backend="cupy")  # and to another machine
    np.testing.assert_allclose(back.predict(X), other, rtol=1e-9)


def test_auto_never_takes_the_gpu(emulated):
    made = model()
    made.fit(X, Y, epochs=1, verbose=0)
    assert made.backend != "cupy"


@pytest.mark.parametrize(
    ("why", "kind"),
    [(cupy_cuda.NOT_INSTALLED, ImportError), ("there is no NVIDIA GPU on this machine", RuntimeError)],
)
def test_what_is_missing_is_said(monkeypatch, why, kind):
    monkeypatch.setattr(cupy_cuda, "lacking", lambda: why)
    with pytest.raises(kind, match="backend 'cupy' cannot be used: ") as error:
        model(backend="cupy")
    assert why in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(kind):
        cupy_cuda.cuda_driver.__wrapped__()
    assert backends.choose("auto")[1] != "cupy"


def test_without_cupy_the_extras_are_named(monkeypatch):
    monkeypatch.setattr(cupy_cuda, "find_spec", lambda package: None)
    assert "tinynet[gpu12]" in cupy_cuda.lacking()
    assert "tinynet[gpu13]" in cupy_cuda.nvrtc_missing()


def test_data_on_a_gpu_are_refused_in_one_sentence():
    class OnDevice:
        __cuda_array_interface__ = {"shape": (3, 5)}  # noqa: RUF012

    with pytest.raises(TypeError, match=r"x lies on a GPU; data are taken from the host, so give x.get\(\) or x.cpu"):
        model().fit(OnDevice(), Y)
