"""The MIP cache, ready-made pictures and their masks."""

import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointpet.core import Case, ImageReadError, MipPair, Plane, TurnedMips
from pointpet.io.mip_files import (
    read_mip_pictures,
    read_mips,
    read_picture_mask,
    read_picture_masks,
    read_turned,
    write_mips,
    write_turned,
)


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


GREY8 = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)


def png(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def npy(path: Path, values: np.ndarray) -> Path:
    np.save(path, values)
    return path


def case(path: Path, plane: Plane = Plane.CORONAL, **changes: object) -> Case:
    given = {"mip_scale": 10.0, "pixel_mm": 2.5, **changes}
    return Case("P1", mips={plane: path}, **given)  # type: ignore[arg-type]


def test_png_of_8_bits(tmp_path: Path) -> None:
    mips = read_mip_pictures(case(png(tmp_path / "c.png", GREY8)))
    assert mips.pixel_mm == 2.5
    assert mips.origin_mm is None
    assert np.allclose(mips.picture(Plane.CORONAL), [[0, 2, 4], [6, 8, 10]])


def test_column_0_of_a_sagittal_picture_is_the_front(tmp_path: Path) -> None:
    mips = read_mip_pictures(case(png(tmp_path / "s.png", GREY8), Plane.SAGITTAL))
    assert np.allclose(mips.picture(Plane.SAGITTAL), [[0, 2, 4], [6, 8, 10]])
    assert mips.sagittal is not None
    # y grows to the front: the picture's first column is the last y.
    assert np.allclose(mips.sagittal[-1], [6, 0])


def test_png_of_16_bits(tmp_path: Path) -> None:
    values = np.array([[0, 65535, 6553]], np.uint16)
    mips = read_mip_pictures(case(png(tmp_path / "c.png", values)))
    assert np.allclose(mips.picture(Plane.CORONAL), [[0, 10, 6553 / 6553.5]], atol=1e-5)


def test_inverted(tmp_path: Path) -> None:
    mips = read_mip_pictures(case(png(tmp_path / "c.png", GREY8), mip_inverted=True))
    assert np.allclose(mips.picture(Plane.CORONAL), [[10, 8, 6], [4, 2, 0]])
    mips = read_mip_pictures(case(npy(tmp_path / "c.npy", np.array([[0.0, 4.0]])), mip_inverted=True))
    assert mips.picture(Plane.CORONAL).tolist() == [[10.0, 6.0]]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8])
def test_npy_holds_suv_itself(tmp_path: Path, kind: type) -> None:
    values = np.array([[0, 1], [2, 30], [4, 5]], kind)
    mips = read_mip_pictures(case(npy(tmp_path / "c.npy", values), mip_scale=None))
    assert mips.picture(Plane.CORONAL).tolist() == values.tolist()


def test_both_views_may_differ_in_height(tmp_path: Path) -> None:
    both = Case(
        "P1",
        mips={
            Plane.CORONAL: npy(tmp_path / "c.npy", np.ones((4, 3))),
            Plane.SAGITTAL: npy(tmp_path / "s.npy", np.ones((5, 2))),
        },
    )
    mips = read_mip_pictures(both)
    assert mips.picture(Plane.CORONAL).shape == (4, 3)
    assert mips.picture(Plane.SAGITTAL).shape == (5, 2)


def test_masks_share_their_pictures_orientation(tmp_path: Path) -> None:
    for plane in Plane:
        bits = np.array([[0, 0, 255], [0, 0, 0]], np.uint8)
        picture, mask = png(tmp_path / "p.png", GREY8), png(tmp_path / "m.png", bits)
        found = read_picture_mask(replace(case(picture, plane), mip_masks={plane: mask}), plane)
        assert found.dtype == bool
        u, z = np.argwhere(found)[0]
        mips = read_mip_pictures(case(picture, plane))
        assert mips.values(plane)[u, z] == pytest.approx(4.0), "the pixel that holds 102 of 255"


def test_mask_kinds(tmp_path: Path) -> None:
    picture = npy(tmp_path / "p.npy", np.ones((2, 2)))
    for values in (np.eye(2, dtype=bool), np.eye(2), 3 * np.eye(2, dtype=np.int16)):
        with_mask = replace(case(picture), mip_masks={Plane.CORONAL: npy(tmp_path / "m.npy", values)})
        assert read_picture_masks(with_mask)[Plane.CORONAL].sum() == 2
    assert read_picture_masks(case(picture)) == {}


def test_bad_masks(tmp_path: Path) -> None:
    picture = npy(tmp_path / "p.npy", np.ones((2, 2)))
    with pytest.raises(ImageReadError, match="case P1: has no coronal mask"):
        read_picture_mask(case(picture), Plane.CORONAL)
    negative = replace(case(picture), mip_masks={Plane.CORONAL: npy(tmp_path / "m.npy", -np.eye(2))})
    with pytest.raises(ImageReadError, match=r"case P1: m\.npy: mask values must be 0 or more, got -1"):
        read_picture_mask(negative, Plane.CORONAL)
    other = replace(case(picture), mip_masks={Plane.CORONAL: npy(tmp_path / "m.npy", np.eye(3))})
    with pytest.raises(ImageReadError, match=r"must have its picture's size \(2, 2\), got \(3, 3\)"):
        read_picture_mask(other, Plane.CORONAL)


def huge_npy(folder: Path) -> Path:
    path = npy(folder / "c.npy", np.ones((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2), }        ", b"(90000, 90000), }"))
    assert b"90000" in path.read_bytes()
    return path


def png_bomb(folder: Path) -> Path:
    return png(folder / "c.png", np.zeros((9000, 9000), np.uint8))


def huge_sparse_npy(folder: Path) -> Path:
    path = huge_npy(folder)
    with path.open("r+b") as file:
        file.truncate(70 * 2**30)
    return path


def truncated(folder: Path) -> Path:
    path = png(folder / "c.png", np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8))
    path.write_bytes(path.read_bytes()[:1000])
    return path


def named_png(folder: Path, content: bytes) -> Path:
    (folder / "c.png").write_bytes(content)
    return folder / "c.png"


def jpeg(folder: Path) -> Path:
    Image.fromarray(GREY8).save(folder / "c.jpg")
    return (folder / "c.jpg").rename(folder / "c.png")


def with_alpha(folder: Path) -> Path:
    return png(folder / "c.png", np.zeros((3, 3, 4), np.uint8))


BAD = [
    (lambda f: f / "c.png", "MISSING", "does not exist"),
    (lambda f: named_png(f, b""), "READ", "cannot be read as PNG or NPY"),
    (lambda f: named_png(f, b"text"), "READ", "cannot be read as PNG or NPY"),
    (jpeg, "READ", "cannot be read as PNG or NPY"),
    (truncated, "READ", "cannot be read as PNG or NPY"),
    (lambda f: png(f / "c.png", np.zeros((3, 3, 3), np.uint8)), "COLOUR", "must be 8- or 16-bit grey, got mode RGB"),
    (with_alpha, "COLOUR", "must be 8- or 16-bit grey, got mode RGBA"),
    (png_bomb, "SIZE", "9000 x 9000 pixels are more than a MIP has"),
    (lambda f: png(f / "c.png", np.zeros((3, 3), np.uint8)), "EMPTY", "needs a value over 0, got none"),
    (
        lambda f: npy(f / "c.npy", np.ones((3, 3, 3))),
        "SHAPE",
        r"must have rows and columns only, got shape \(3, 3, 3\)",
    ),
    (lambda f: npy(f / "c.npy", np.ones((0, 3))), "SHAPE", r"got shape \(0, 3\)"),
    (lambda f: npy(f / "c.npy", np.array([[1, np.nan]])), "FINITE", "values must be finite, got NaN or Inf"),
    (lambda f: npy(f / "c.npy", np.array([[1e300, 1]])), "FINITE", "values must be finite, got NaN or Inf"),
    (lambda f: npy(f / "c.npy", np.array([["a"]])), "TYPE", "must hold one array of numbers"),
    (lambda f: npy(f / "c.npy", np.array([[print]], object)), "READ", "cannot be read as PNG or NPY"),
    (huge_npy, "READ", "cannot be read as PNG or NPY"),
    (huge_sparse_npy, "SIZE", "90000 x 90000 pixels are more than a MIP has"),
]


@pytest.mark.parametrize(("make", "code", "message"), BAD)
def test_bad_pictures(tmp_path: Path, make, code: str, message: str) -> None:
    path = make(tmp_path)
    start = time.perf_counter()
    with pytest.raises(ImageReadError, match=message) as caught:
        read_mip_pictures(case(path))
    assert time.perf_counter() - start < 2
    assert caught.value.code == f"PP-PICTURE-{code}"
    assert caught.value.subject == f"case P1: {path.name}"
    assert str(tmp_path) not in str(caught.value)


def test_no_picture_and_no_scale(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="case P1: has no ready-made picture"):
        read_mip_pictures(Case("P1"))
    with pytest.raises(ImageReadError, match=r"c\.png: needs mip_scale, the SUV of the largest value"):
        read_mip_pictures(case(png(tmp_path / "c.png", GREY8), mip_scale=None))
    inverted = case(npy(tmp_path / "c.npy", np.ones((2, 2))), mip_scale=None, mip_inverted=True)
    with pytest.raises(ImageReadError, match="needs mip_scale"):
        read_mip_pictures(inverted)


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
