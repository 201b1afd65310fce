"""The wire format that the pages read."""

import json

import numpy as np
import pytest

from pointpet.web.packing import pack, quantise


def test_header_and_arrays_are_found_again():
    arrays = {"a": np.arange(5, dtype=np.uint8), "b": np.arange(6, dtype=np.float32).reshape(2, 3)}
    content = pack({"x": 1}, arrays)
    assert content[:4] == b"PPET"
    length = int.from_bytes(content[4:8], "little")
    assert length % 4 == 0
    header = json.loads(content[8 : 8 + length])
    assert header["x"] == 1
    body = content[8 + length :]
    for name, array in arrays.items():
        entry = header["arrays"][name]
        assert entry["offset"] % 4 == 0
        assert entry["shape"] == list(array.shape)
        found = np.frombuffer(body, entry["type"], count=array.size, offset=entry["offset"]).reshape(array.shape)
        np.testing.assert_array_equal(found, array)


def test_suv_survives_16_bits_to_a_65535th_of_the_largest():
    values = np.array([[-0.5, 0.0, 0.1], [3.3, 250.0, 7.7]], np.float32)
    levels, step = quantise(values)
    np.testing.assert_allclose(levels * step, np.maximum(values, 0), atol=250 / 65535)


@pytest.mark.parametrize("values", [np.zeros((2, 2), np.float32), np.full((2, 2), -1, np.float32)])
def test_nothing_positive_is_all_zero(values: np.ndarray):
    levels, step = quantise(values)
    assert step == 1.0
    assert not levels.any()
