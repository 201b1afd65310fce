"""Ready-made pictures and their masks."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointpet.core import Case, ImageReadError, MipPair, Plane
from pointpet.image.picture_body import BODY_LEVEL_SUV
from pointpet.io.mip_pictures import read_mip_pictures, read_picture_mask, read_picture_masks, write_picture


def mips_of(case: Case, **options: bool) -> MipPair:
    return read_mip_pictures(case, **options).mips


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
    mips = mips_of(case(png(tmp_path / "c.png", GREY8)))
    assert mips.pixel_mm == 2.5
    assert mips.origin_mm is None
    assert np.allclose(mips.picture(Plane.CORONAL), [[0, 2, 4], [6, 8, 10]])


def test_column_0_of_a_sagittal_picture_is_the_front(tmp_path: Path) -> None:
    mips = mips_of(case(png(tmp_path / "s.png", GREY8), Plane.SAGITTAL))
    assert np.allclose(mips.picture(Plane.SAGITTAL), [[0, 2, 4], [6, 8, 10]])
    assert mips.sagittal is not None
    # y grows to the front: the picture's first column is the last y.
    assert np.allclose(mips.sagittal[-1], [6, 0])


def test_png_of_16_bits(tmp_path: Path) -> None:
    values = np.array([[0, 65535, 6553]], np.uint16)
    mips = mips_of(case(png(tmp_path / "c.png", values)))
    assert np.allclose(mips.picture(Plane.CORONAL), [[0, 10, 6553 / 6553.5]], atol=1e-5)


def test_inverted(tmp_path: Path) -> None:
    mips = mips_of(case(png(tmp_path / "c.png", GREY8), mip_inverted=True))
    assert np.allclose(mips.picture(Plane.CORONAL), [[10, 8, 6], [4, 2, 0]])
    mips = mips_of(case(npy(tmp_path / "c.npy", np.array([[0.0, 4.0]])), mip_inverted=True))
    assert mips.picture(Plane.CORONAL).tolist() == [[10.0, 6.0]]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8])
def test_npy_holds_suv_itself(tmp_path: Path, kind: type) -> None:
    values = np.array([[0, 1], [2, 30], [4, 5]], kind)
    mips = mips_of(case(npy(tmp_path / "c.npy", values), mip_scale=None))
    assert mips.picture(Plane.CORONAL).tolist() == values.tolist()


def test_both_views_may_differ_in_height(tmp_path: Path) -> None:
    both = Case(
        "P1",
        mips={
            Plane.CORONAL: npy(tmp_path / "c.npy", np.ones((4, 3))),
            Plane.SAGITTAL: npy(tmp_path / "s.npy", np.ones((5, 2))),
        },
    )
    mips = mips_of(both)
    assert mips.picture(Plane.CORONAL).shape == (4, 3)
    assert mips.picture(Plane.SAGITTAL).shape == (5, 2)


def test_masks_share_their_pictures_orientation(tmp_path: Path) -> None:
    for plane in Plane:
        bits = np.array([[0, 0, 255], [0, 0, 0]], np.uint8)
        picture, mask = png(tmp_path / "p.png", GREY8), png(tmp_path / "m.png", bits)
        found = read_picture_mask(replace(case(picture, plane), mip_masks={plane: mask}), plane)
        assert found.dtype == bool
        u, z = np.argwhere(found)[0]
        mips = mips_of(case(picture, plane))
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


def coloured(folder: Path) -> Path:
    return png(folder / "c.png", np.arange(27, dtype=np.uint8).reshape(3, 3, 3))


def upside_down(folder: Path) -> Path:
    return png(folder / "c.png", 255 - body_grey())


def body_grey(rows: int = 200, columns: int = 140) -> np.ndarray:
    """A body of grey 30 with a hot spot in black air."""
    picture = np.zeros((rows, columns), np.uint8)
    picture[20:180, 20:120] = 30
    picture[100:104, 60:64] = 200
    return picture


BAD = [
    (lambda f: f / "c.png", "MISSING", "does not exist"),
    (lambda f: named_png(f, b""), "READ", "cannot be read as PNG or NPY"),
    (lambda f: named_png(f, b"text"), "READ", "cannot be read as PNG or NPY"),
    (jpeg, "READ", "cannot be read as PNG or NPY"),
    (truncated, "READ", "cannot be read as PNG or NPY"),
    (coloured, "COLOUR", "must be 8- or 16-bit grey, got mode RGB"),
    (with_alpha, "COLOUR", "must be 8- or 16-bit grey, got mode RGBA"),
    (upside_down, "INVERTED", "must be cold at its sides, where air is; they are hot. Set mip_inverted to 1"),
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


def test_three_equal_channels_are_grey(tmp_path: Path) -> None:
    for number, mode in enumerate(("RGB", "RGBA", "LA", "P")):
        path = tmp_path / f"{number}.png"
        Image.fromarray(GREY8).convert(mode).save(path)
        assert np.allclose(mips_of(case(path)).picture(Plane.CORONAL), [[0, 2, 4], [6, 8, 10]])
    bits = tmp_path / "bits.png"
    Image.fromarray(GREY8 > 100).save(bits)
    with_mask = replace(case(path), mip_masks={Plane.CORONAL: bits})
    assert read_picture_mask(with_mask, Plane.CORONAL).sum() == 4


@pytest.mark.parametrize("given", [{"mip_scale": None}, {"mip_scale": 255.0}, {"mip_scale": 0.5}])
@pytest.mark.parametrize("inverted", [False, True])
def test_an_unknown_or_impossible_scale_is_taken_from_the_body(tmp_path: Path, given: dict, inverted: bool) -> None:
    grey = 255 - body_grey() if inverted else body_grey()
    reading = read_mip_pictures(case(png(tmp_path / "c.png", grey), mip_inverted=inverted, **given))
    picture = reading.mips.picture(Plane.CORONAL)
    assert np.median(picture[picture > 0]) == pytest.approx(BODY_LEVEL_SUV)
    assert picture.max() == pytest.approx(BODY_LEVEL_SUV * 200 / 30, rel=1e-5)
    told = [str(warning) for warning in reading.warnings]
    if given["mip_scale"] is None:
        assert told == []
    else:
        assert len(told) == 1
        assert "c.png: values are no SUV: the body's median is" in told[0]


def test_a_possible_scale_is_kept_unless_the_body_is_asked_for(tmp_path: Path) -> None:
    stated = case(png(tmp_path / "c.png", body_grey()), mip_scale=10.0)
    assert mips_of(stated).picture(Plane.CORONAL).max() == pytest.approx(200 / 25.5)
    assert mips_of(stated, by_body=True).picture(Plane.CORONAL).max() == pytest.approx(8.0)


def test_grey_values_in_an_npy_are_no_suv(tmp_path: Path) -> None:
    reading = read_mip_pictures(case(npy(tmp_path / "c.npy", body_grey().astype(np.float32)), mip_scale=None))
    assert reading.mips.picture(Plane.CORONAL).max() == pytest.approx(8.0)
    assert [warning.code for warning in reading.warnings] == ["PP-PICTURE-LEVEL"]


@pytest.mark.parametrize("name", ["c.png", "d.png", "e.npy"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    kinds = {"c.png": np.uint8, "d.png": np.uint16, "e.npy": np.float32}
    values = body_grey().astype(kinds[name])
    write_picture(tmp_path / name, values)
    largest = {"c.png": 255.0, "d.png": 65535.0, "e.npy": None}[name]
    picture = mips_of(case(tmp_path / name, mip_scale=largest), by_body=True).picture(Plane.CORONAL)
    np.testing.assert_allclose(picture, values * np.float32(BODY_LEVEL_SUV / 30), rtol=1e-5)


def test_no_picture_and_no_scale(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="case P1: has no ready-made picture"):
        read_mip_pictures(Case("P1"))
    inverted = case(npy(tmp_path / "c.npy", np.ones((2, 2))), mip_scale=None, mip_inverted=True)
    with pytest.raises(ImageReadError, match="needs mip_scale"):
        read_mip_pictures(inverted)
