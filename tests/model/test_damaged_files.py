"""Whatever happened to a model file, loading it says so in one sentence, as a ModelFileError, and nothing else."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet as tn
from tinynet import persistence

INTERNAL = ("Traceback", "numpy", "json", "Expecting", "codec", "NoneType", "subscriptable", "object is not", "\n")


def small_model():
    tn.set_random_seed(1)
    model = tn.Sequential([tn.layers.Dense(2, "relu", input_shape=[3]), tn.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", ["accuracy"])
    x = np.random.default_rng(0).normal(size=(12, 3))
    model.fit(x, x[:, 0] > 0, verbose=0)
    return model


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a file with which nothing is wrong."""
    path = tmp_path_factory.mktemp("good") / "model"
    small_model().save(path, training_state=True)
    return path.read_bytes()


def refused(whole, words=None):
    """The one sentence with which the bytes are refused."""
    with pytest.raises(tn.ModelFileError, match=words) as caught:
        tn.load_model(whole)
    message = str(caught.value)
    assert not any(word in message for word in INTERNAL), message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


def sealed(header, data=b""):
    """A file with any header whose checksum is right."""
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    head = struct.pack("<Q", len(text)) + text
    checksum = persistence.checksum_of(head, data)
    return head.replace(persistence.NO_CHECKSUM.encode(), checksum.encode(), 1) + data


def metadata(**changes):
    return {"format": "tinynet", "checksum": "0" * 64, "version": "1", "model": "{}"} | changes


def test_every_byte_flipped(good):
    """Every position, each with one bit, all bits, and another value."""
    rng = np.random.default_rng(0)
    for position in range(len(good)):
        for change in {1 << int(rng.integers(8)), 255, int(rng.integers(1, 256))}:
            broken = bytearray(good)
            broken[position] ^= change
            refused(bytes(broken))


def test_every_length_cut(good):
    for length in range(len(good)):
        refused(good[:length])
    refused(good + b"\0", "checksum")
    refused(b"", "longer than 8 bytes; this has 0")
    refused(good[:-1], "checksum does not match, so the file is damaged; take another copy")


def test_every_two_bytes_exchanged(good):
    for position in range(len(good) - 1):
        if good[position] != good[position + 1]:
            refused(
                good[:position]
                + good[position + 1 : position + 2]
                + good[position : position + 1]
                + good[position + 2 :]
            )


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, 100_000_001, 10_000])
def test_a_huge_header_takes_no_memory(length, good):
    refused(struct.pack("<Q", length) + good[8:], "the file ends before; it is cut off or no model")


OTHER_KINDS = [
    b"PK\x03\x04" + b"\0" * 100, b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'}", b"\x89HDF\r\n\x1a\n" + b"\0" * 50,
    b"hello world, this is a text file\n", b"\x80\x04\x95" + b"\0" * 30, b"\0" * 64, b"\xff" * 64,
    sealed(b"[]"), sealed(b"3"), sealed(b"null"), sealed(b"\xff\xfe"), sealed(b"[" * 200_000), sealed(b'"a"'),
    sealed({}), sealed({"__metadata__": 3}), sealed({"__metadata__": {}}), sealed({"__metadata__": {"format": "pt"}}),
    *(sealed({"__metadata__": metadata(version=version)}) for version in ("one", None, math.inf, "0", "-1", [1])),
    *(sealed({"__metadata__": metadata(checksum=checksum)}) for checksum in (3, None, "\ud800")),
    sealed({"__metadata__": metadata(format="tinynot")}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(OTHER_KINDS)))
def test_other_kinds_of_files(number):
    message = refused(OTHER_KINDS[number])
    assert "cut off or no model" in message or "none of a tinynet model" in message


def test_a_newer_format_is_refused_by_its_number():
    assert "written in format 2, but this tinynet reads up to 1; install a newer one" in refused(
        sealed({"__metadata__": metadata(version="2")})
    )


@pytest.mark.parametrize("model", ["", "{", "[]", "3", "null", '"a"', "{}}", "[" * 100_000])
def test_a_description_that_is_none(model):
    refused(sealed({"__metadata__": metadata(model=model)}), "does not fit the bytes behind it")


def place(dtype="F32", shape=(2,), data_offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets}


WRONG_PLACES = [
    None, 3, [], {}, place(dtype="F99"), place(dtype=[]), place(shape=[-1]), place(shape=2), place(shape=[2.0]),
    place(shape=[3]), place(shape=[2**40, 2**40]), place(data_offsets=[0, 4]), place(data_offsets=[0, 80]),
    place(data_offsets=[8, 0]), place(data_offsets=[-8, 0]), place(data_offsets=[0]), place(data_offsets=[0.0, 8.0]),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG_PLACES)))
def test_a_tensor_that_does_not_fit_its_bytes(number):
    header = {"__metadata__": metadata(), "w": WRONG_PLACES[number]}
    refused(sealed(header, b"\0" * 8), "does not fit the bytes behind it")


@pytest.mark.parametrize(
    ("places", "length"),
    [
        ([(0, 8), (0, 8)], 8), ([(0, 8), (4, 12)], 12), ([(0, 8), (12, 20)], 20), ([(4, 12)], 12), ([(0, 8)], 12),
        ([], 8), ([(0, 8), (8, 16)], 17),
    ],
    ids=["the same bytes", "overlap", "gap", "gap before", "bytes behind", "no tensor", "one byte behind"],
)  # fmt: skip
def test_tensors_that_do_not_tile_the_bytes(places, length):
    """Each tensor by itself fits; the safetensors format wants them one behind the other, without holes."""
    header = {"__metadata__": metadata(), **{str(i): place(data_offsets=p) for i, p in enumerate(places)}}
    refused(sealed(header, b"\0" * length), "does not fit the bytes behind it")


def test_names_that_stand_twice(good):
    entry = json.dumps(place())
    twice = f'{{"__metadata__": {json.dumps(metadata())}, "w": {entry}, "w": {entry}}}'
    refused(sealed(twice.encode(), b"\0" * 8), "none of a tinynet model")
    model = persistence.read(good)[1]
    text = json.dumps(json.dumps(model))[1:-1]
    (length,) = struct.unpack("<Q", good[:8])
    header = good[8 : 8 + length].decode().rstrip()
    checksum = json.loads(header)["__metadata__"]["checksum"]
    header = header.replace(checksum, "0" * 64).replace(text, text[:-1] + ', \\"name\\": \\"b\\"}')
    refused(sealed(header.encode(), good[8 + length :]), "does not fit the bytes behind it")


def changed(good, place, value):
    """The good file with one value of its description replaced, and a right checksum."""
    tensors, model = persistence.read(good)
    inner = model
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return persistence.packed(tensors, model)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (["layers", 0, "class"], "Conv2D", "uses a layer 'Conv2D' that is not known; pass it in custom_objects"),
        (["layers", 0, "activation"], {"name": "mish"}, "there is no activation named 'mish'.*custom_objects"),
        (["layers", 0, "units"], 3, r"weights/dense/W is float32 \(3, 2\); its place in the model is float32 \(3, 3\)"),
        (["layers", 0, "units"], 10**12, r"its place in the model is float32 \(3, 1000000000000\)"),
        (["layers", 0, "units"], "two", "units is a whole number of at least 1; given was 'two'"),
        (["layers", 0, "name"], "dense_1", "'dense_1' is taken already"),
        (["layers", 0, "name"], "other", "weights/other/W is missing"),
        (["layers", 0, "future"], 1, "there is no setting of Dense named 'future'"),
        (["n_in"], 10**15, r"its place in the model is float32 \(1000000000000000, 2\)"),
        (["n_in"], 0, "n_in is a whole number of at least 1"),
        (["dtype"], "float64", "its place in the model is float64"),
        (["dtype"], "float16", "dtype is 'float32' or 'float64'"),
        (["seed"], "a", "seed is a whole number"),
        (["compiled", "loss"], {"name": "mystery"}, "there is no loss named 'mystery'.*custom_objects"),
        (["compiled", "optimizer", "name"], "adamm", "there is no optimizer named 'adamm': did you mean 'adam'"),
        (["compiled", "optimizer", "learning_rate"], -1, "learning_rate is above 0; given was -1"),
        (["compiled", "metrics"], ["mine"], "there is no metric named 'mine'.*custom_objects"),
        (["compiled", "optimizer", "name"], "sgd", "there is no setting of SGD named 'beta_1'"),
        (["generator"], {"bit_generator": "PCG64"}, "cannot be made"),
        (["generator"], 3, "cannot be made"),
        (["layers"], [], "has weights/dense/W, which no layer"),
        (["layers"], None, "cannot be made"),
    ],
)
def test_a_description_of_no_model(good, place, value, words):
    with pytest.raises(tn.ModelFileError, match=words):
        tn.load_model(changed(good, place, value))


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("weights/dense/W", np.full((3, 2), np.nan, np.float32), "weights/dense/W has NaN or infinity"),
        (
            "weights/dense/W",
            np.zeros((2, 3), np.float32),
            r"float32 \(2, 3\); its place in the model is float32 \(3, 2\)",
        ),
        ("weights/dense/W", np.zeros((3, 2)), r"float64 \(3, 2\); its place in the model is float32"),
        ("weights/dense/V", np.zeros(3, np.float32), "has weights/dense/V, which no layer of its model has"),
        ("training/slots", np.zeros((1, 1), np.float32), r"training/slots is float32 \(1, 1\); its place"),
        ("training/step", np.array([-1]), "the step is a whole number of at least 0"),
    ],
)
def test_tensors_of_another_model(good, name, tensor, words):
    tensors, model = persistence.read(good)
    with pytest.raises(tn.ModelFileError, match=words):
        tn.load_model(persistence.packed(tensors | {name: tensor}, model))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(thing, start=()):
    """Every place in the description where a value stands."""
    items = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    for key, value in items:
        yield [*start, key]
        yield from places(value, (*start, key))


@settings(max_examples=300, deadline=None)
@given(st.data(), JSON_VALUES)
def test_any_value_at_any_place_is_refused_or_makes_a_model(good, data, value):
    place = data.draw(st.sampled_from(list(places(persistence.read(good)[1]))))
    try:
        model = tn.load_model(changed(good, place, value))
    except tn.ModelFileError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert model.predict(np.ones((2, 3))).shape[0] == 2
