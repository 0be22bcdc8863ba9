"""What the bytes of a record hold, and that those of earlier versions are read."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid import Block
from sweep.record_numbers import RecordError, arrays_of, bytes_of, numbers_in
from sweep.records import Record

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@given(st.dictionaries(st.text(max_size=4), SHAPES, max_size=5), st.binary(max_size=9))
def test_arrays_are_read_back_bit_for_bit(shapes: dict[str, tuple[int, ...]], before: bytes) -> None:
    arrays = {
        name: np.arange(math.prod(shape), dtype=float).reshape(shape) - math.pi
        for name, shape in shapes.items()
    }
    payload = before + bytes_of(list(arrays.values()))
    found = numbers_in(payload, len(before), arrays_of(shapes))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    with pytest.raises(RecordError, match="do not hold"):
        numbers_in(payload + b"\0", len(before), arrays_of(shapes))


def test_a_record_that_the_first_release_of_this_format_wrote_is_read() -> None:
    text = (
        '{"block":"' + BLOCK.key + '","weighting_index":3,"status":"relaxed","values":{"geometry_error":0.1,'
        '"newton_steps":4.0},"arrays":{"strain_error_profile":[2]},"message":"","worker":"w","wall_time_s":0.3}'
    )
    found = Record.from_payload(text.encode() + b"\0" + struct.pack("<2d", 1e-3, math.inf))
    values = {"geometry_error": 0.1, "newton_steps": 4.0, "strain_error_profile": [1e-3, math.inf]}
    assert found == Record(BLOCK, 3, "relaxed", values, worker="w", wall_time_s=0.3)


def test_a_record_of_no_weighting_is_refused() -> None:
    with pytest.raises(RecordError, match="give one, or one for each weighting"):
        Record(BLOCK, None, ())


@pytest.mark.parametrize("seconds", [0.3, math.nan, math.inf, 1e-9, 12345678.0])
@pytest.mark.parametrize("message", ["", 'a "quoted" word, {braces}, \n, "wall_time_s":7}', "λ \ud800"])
def test_the_text_of_a_point_is_json_whatever_it_says(seconds: float, message: str) -> None:
    values = {"geometry_error": math.nan, "strain_error_profile": [1.0, 2.0]}
    written = Record(BLOCK, 7, "other_minimum", values, message, 'w"1', seconds)
    text = json.loads(written.payload.partition(b"\0")[0])
    assert (text["message"], text["worker"], text["weighting_index"]) == (message, 'w"1', 7)
    assert text["wall_time_s"] == seconds or math.isnan(seconds)
    read = Record.from_payload(written.payload)
    assert (read.block, read.weighting_index, read.status) == (BLOCK, 7, "other_minimum")
    assert (read.message, read.worker) == (message, 'w"1')
    assert np.array_equal([read.wall_time_s], [seconds], equal_nan=True)
    assert read.values["geometry_error"].shape == ()
    assert np.array_equal(read.values["strain_error_profile"], [1.0, 2.0])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b'"worker":"w"', b'"worker":"w","more":1'),
        lambda text: text.replace(b'"arrays":{"geometry_error":[]}', b'"arrays":{"geometry_error":[-1]}'),
        lambda text: text.replace(b'"message":""', b'"message":'),
        lambda text: text.replace(b"replica=0", b"replica=-1"),
        lambda text: text.replace(b"relaxed", b"resting"),
        lambda text: text.replace(b'"wall_time_s":0.3', b'"wall_time_s":1_0'),
        lambda text: text.replace(b'"weighting_index":7', b'"weighting_index":007'),
    ],
)
def test_a_text_that_says_something_else_is_no_record(spoil: object) -> None:
    payload = Record(BLOCK, 7, "relaxed", {"geometry_error": 0.1}, worker="w", wall_time_s=0.3).payload
    assert callable(spoil)
    spoiled = spoil(payload)
    assert spoiled != payload
    with pytest.raises(RecordError):
        Record.from_payload(spoiled)
