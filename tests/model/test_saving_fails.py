"""A save that fails, wherever it does, leaves the file that was there and nothing beside it."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet import persistence

X = np.eye(2)


def model(seed):
    tn.set_random_seed(seed)
    made = tn.Sequential([tn.layers.Dense(2, input_shape=[2])])
    made.build()
    return made


@pytest.fixture
def path(tmp_path):
    """Where a good model stands already."""
    model(1).save(tmp_path / "model")
    return tmp_path / "model"


def check_untouched(path):
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert (tn.load_model(path).predict(X) == model(1).predict(X)).all()


class Full:
    """A file on a full disk: a part of what is written fits."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.file.close()

    def write(self, content):
        self.file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name):
        return getattr(self.file, name)


def raising(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_full_disk(path, monkeypatch):
    monkeypatch.setattr(persistence, "open", lambda *a, **k: Full(open(*a, **k)), raising=False)  # noqa: SIM115
    with pytest.raises(OSError, match="No space left"):
        model(2).save(path)
    check_untouched(path)


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EPERM])
def test_a_failing_call(name, number, path, monkeypatch):
    monkeypatch.setattr(os, name, raising(number))
    with pytest.raises(OSError, match="Errno"):
        model(2).save(path)
    check_untouched(path)


def test_an_interruption(path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(2).save(path)
    check_untouched(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_flushed_is_no_failure(number, path, monkeypatch):
    """Some file systems refuse fsync of a folder; the file is written all the same."""
    flush, flushed = os.fsync, []

    def fsync(handle):
        flushed.append(handle)
        if len(flushed) == 2:
            raise OSError(number, os.strerror(number))
        flush(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    model(2).save(path)
    assert len(flushed) == 2
    assert (tn.load_model(path).predict(X) == model(2).predict(X)).all()


def test_file_and_folder_are_flushed_before_and_after_the_renaming(path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, call=call: (events.append(name), call(*a)))
    model(2).save(path)
    assert events == ["fsync", "replace", "fsync"]


def test_places_where_no_file_can_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder '.*nowhere' for the model file does not exist"):
        model(1).save(tmp_path / "nowhere" / "model")
    with pytest.raises(IsADirectoryError, match="is a folder; a model is written into a file"):
        model(1).save(tmp_path)
    for call in (model(1).save, tn.load_model):
        for wrong in (3, None, 2.5, ["model"]):
            with pytest.raises(TypeError, match="a model file is named by a path, not by"):
                call(wrong)
    with pytest.raises(FileNotFoundError, match="nothing"):
        tn.load_model(tmp_path / "nothing")


def test_paths_of_every_kind_and_the_longest_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("m", Path("m"), tmp_path / "m", tmp_path / ("a" * 255), tmp_path / ("ü" * 127)):
        model(1).save(name)
        assert (tn.load_model(name).predict(X) == model(1).predict(X)).all()
