"""The MIP cache."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pointpet.core import ImageReadError, MipPair, Plane, TurnedMips
from pointpet.io.mip_files import read_mips, read_turned, write_mips, write_turned


def pair() -> MipPair:
    rng = np.random.default_rng(0)
    return MipPair(rng.random((30, 50)) * 40, rng.random((20, 50)), 2.0, np.array([-1.5, 2.25, 1e3]))


def test_cache_returns_every_bit(tmp_path: Path) -> None:
    mips = pair()
    write_mips(tmp_path / "a.npz", mips)
    again = read_mips(tmp_path / "a.npz")
    for plane in Plane:
        assert again.values(plane).dtype == np.float32
        assert np.array_equal(again.values(plane), mips.values(plane))
    assert again.pixel_mm == 2.0
    assert again.origin_mm.tolist() == [-1.5, 2.25, 1000.0]


def test_cache_of_one_view_without_a_world(tmp_path: Path) -> None:
    write_mips(tmp_path / "a.npz", MipPair(None, np.ones((3, 4)), 1.5))
    again = read_mips(tmp_path / "a.npz")
    assert again.planes == (Plane.SAGITTAL,)
    assert again.origin_mm is None
    assert again.coronal is None


def test_equal_mips_are_equal_files(tmp_path: Path) -> None:
    write_mips(tmp_path / "a.npz", pair())
    write_mips(tmp_path / "b.npz", pair())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "no time of writing"


def test_bad_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ImageReadError, match=r"a\.npz: does not exist\. Run `pointpet prepare`"):
        read_mips(path)
    write_mips(path, pair())
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    pickled, foreign, flat = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(pickled, coronal=np.array([[object()]], object), pixel_mm=[1.0])
    np.savez(foreign, other=np.ones(3))
    np.savez(flat, coronal=np.ones(3), pixel_mm=[1.0])
    single = io.BytesIO()
    np.save(single, np.ones(3))
    spoilt = [b"", b"text", whole[:-100], bytes(damaged), single.getvalue()]
    for content in [*spoilt, *(file.getvalue() for file in (pickled, foreign, flat))]:
        path.write_bytes(content)
        with pytest.raises(ImageReadError, match="cannot be read as a part of the cache of pointpet") as caught:
            read_mips(path)
        assert caught.value.code == "PP-MIP-CACHE"


def test_turned_views_return_every_bit(tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[0, 3] = 2.5
    written = [TurnedMips(pair(), matrix), TurnedMips(pair(), np.eye(4))]
    write_turned(tmp_path / "a.npz", written)
    again = read_turned(tmp_path / "a.npz")
    assert len(again) == 2
    for one, two in zip(written, again, strict=True):
        assert np.array_equal(one.matrix, two.matrix)
        assert np.array_equal(one.mips.origin_mm, two.mips.origin_mm)
        assert all(np.array_equal(one.mips.values(plane), two.mips.values(plane)) for plane in Plane)


def test_no_turned_views_are_an_answer_too(tmp_path: Path) -> None:
    write_turned(tmp_path / "a.npz", [])
    assert read_turned(tmp_path / "a.npz") == ()


def test_a_cache_of_plain_views_holds_no_turned_ones(tmp_path: Path) -> None:
    write_mips(tmp_path / "a.npz", pair())
    with pytest.raises(ImageReadError, match=r"a\.npz: cannot be read as a part of the cache of pointpet"):
        read_turned(tmp_path / "a.npz")
