"""Nothing is printed, warned of or changed unless asked; on a terminal, one line that tells how far a fit is."""

import io
import re
import warnings

import numpy as np
import pytest

import tinynet as tn
from tinynet import progress
from tinynet.progress import Progress

X = np.random.default_rng(0).normal(size=(40, 2))
Y = X[:, 0]


def new():
    model = tn.Sequential([tn.layers.Dense(3, "relu", input_shape=[2]), tn.layers.Dense(1)])
    model.compile("adam", "mse", ["mae"])
    return model


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_a_terminal(monkeypatch):
    """Standard error as a terminal that is drawn on at every chance; for the body of a test, when capturing began."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(progress, "REDRAW", 0.0)
    return stream


@pytest.mark.parametrize("verbose", [0, 1, "auto", False, True])
def test_not_a_word_without_a_terminal(verbose, capfd):
    model = new()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, epochs=2, verbose=verbose, validation_data=(X, Y))
        model.evaluate(X, Y, verbose=verbose)
        model.predict(X, verbose=verbose)
    assert capfd.readouterr() == ("", "")


def test_verbose_2_is_a_line_for_each_epoch(capfd):
    new().fit(X, Y, epochs=3, verbose=2, validation_data=(X, Y))
    out, err = capfd.readouterr()
    number = r"-?\d[\d.e+-]*"
    line = rf"epoch \d/3, loss {number}, mae {number}, val_loss {number}, val_mae {number}"
    assert re.fullmatch(rf"({line}\n){{3}}", out), out
    assert err == ""


@pytest.mark.parametrize("verbose", [1, "auto", True])
def test_a_terminal_sees_a_bar_that_is_wiped_away(verbose, capfd, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    new().fit(X, Y, batch_size=10, epochs=2, verbose=verbose)
    drawn = terminal.getvalue().split("\r")
    assert "\n" not in terminal.getvalue()
    bars = [text for text in drawn if text.strip()]
    assert re.match(r"fit \[=+ *\] \d/8 \d+/s, \d:\d\d left - epoch 1/2", bars[0]), bars[0]
    assert re.match(r"fit \[={24}\] 8/8 \d+/s, 0:00 left - epoch 2/2, loss ", bars[-1]), bars[-1]
    assert drawn[-1] == ""
    assert drawn[-2].strip() == ""
    assert len(drawn[-2]) >= len(bars[-1].rstrip())
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("verbose", [0, 2, False])
def test_a_terminal_sees_no_bar_where_none_is_wanted(verbose, monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    new().fit(X, Y, verbose=verbose)
    assert terminal.getvalue() == ""


def test_the_bar_is_wiped_where_training_fails(monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    model = tn.Sequential([tn.layers.Dense(1, input_shape=[2])])
    model.compile(tn.optimizers.SGD(1e5), "mse")
    with pytest.raises(tn.NonFiniteError):
        model.fit(X, Y, batch_size=10, epochs=50, verbose=1)
    assert "epoch 1/50" in terminal.getvalue()
    assert terminal.getvalue().endswith(" \r")


def test_a_bar_never_grows_over_what_it_wiped():
    stream = Terminal()
    bar = Progress(3, "work", stream, show=True)
    bar.drawn_at = -1e9
    bar.update(1, "a long note that says much")
    bar.drawn_at = -1e9
    bar.update(2, "short")
    first, second = (text for text in stream.getvalue().split("\r") if text)
    assert len(second) >= len(first.rstrip())
    assert "much" not in second


def test_a_bar_is_drawn_ten_times_a_second_at_most(monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 0.01))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    stream = Terminal()
    bar = Progress(500, "work", stream, show=True)
    for done in range(1, 501):
        bar.update(done)
    assert 45 <= stream.getvalue().count("\r") <= 52


def test_time_left_is_minutes_and_seconds():
    assert progress.clock(0.4) == "0:00"
    assert progress.clock(75.9) == "1:15"
    assert progress.clock(3725.0) == "62:05"
