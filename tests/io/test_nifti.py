"""NIfTI in and out: voxel order, geometry, and every refusal."""

import gzip
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointpet.core import ActivationMap, GeometryError, Grid, ImageReadError, Mask, Plane, PointpetError, Unit, Volume
from pointpet.io import nifti
from pointpet.io.nifti import is_nifti, read_map, read_mask, read_nifti, write_map, write_mask, write_volume

SHAPE = (4, 5, 6)
AFFINE = np.array([[4.0, 0, 0, -10], [0, 3.0, 0, 20], [0, 0, 2.0, -300], [0, 0, 0, 1]])


def voxels() -> np.ndarray:
    return np.arange(1, np.prod(SHAPE) + 1, dtype=np.float32).reshape(SHAPE)


def save(path: Path, content: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nib.Nifti1Image(content, affine).to_filename(path)
    return path


def patched(path: Path, offset: int, content: bytes) -> Path:
    """Change bytes of a file; offsets are those of the NIfTI-1 standard's header."""
    held = bytearray(path.read_bytes())
    held[offset : offset + len(content)] = content
    path.write_bytes(held)
    return path


def orders() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


@pytest.mark.parametrize(("axes", "signs"), orders())
def test_all_48_voxel_orders_are_read_as_one_volume(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    upright = Volume(voxels(), AFFINE)
    # Voxel (i, j, k) of the stored image is voxel (its axes permuted and flipped) of the upright one.
    to_upright = np.zeros((4, 4))
    to_upright[3, 3] = 1
    for stored_axis, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        to_upright[axis, stored_axis] = sign
        to_upright[axis, 3] = 0 if sign > 0 else SHAPE[axis] - 1
    stored_shape = tuple(SHAPE[axis] for axis in axes)
    stored = np.empty(stored_shape, np.float32)
    for index in np.ndindex(stored_shape):
        stored[index] = upright.voxels[tuple((to_upright @ [*index, 1])[:3].astype(int))]
    path = save(tmp_path / "a.nii", stored, AFFINE @ to_upright)

    volume = read_nifti(path, Unit.SUVBW)

    assert np.array_equal(volume.voxels, upright.voxels)
    assert volume.grid.matches(upright.grid)
    assert volume.stored is not None
    assert volume.stored.matches(Grid(stored_shape, AFFINE @ to_upright))
    assert min(volume.voxels.strides) > 0

    write_volume(tmp_path / "b.nii.gz", volume)
    again = nib.load(tmp_path / "b.nii.gz")
    assert np.array_equal(np.asarray(again.dataobj), stored)
    assert np.allclose(again.affine, AFFINE @ to_upright, atol=1e-4)

    mask = Mask(volume.voxels > 100, volume.affine)
    write_mask(tmp_path / "m.nii.gz", mask, volume.stored)
    assert np.array_equal(np.asarray(nib.load(tmp_path / "m.nii.gz").dataobj), stored > 100)
    assert np.array_equal(read_mask(tmp_path / "m.nii.gz", volume).voxels, mask.voxels)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(0.5, 6)] * 3), st.booleans())
def test_oblique_and_flipped_grids_return_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple, steps: tuple, sheared: bool
) -> None:
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles).as_matrix() * steps
    if sheared:
        affine[0, 1] += 0.1
    path = save(tmp_path_factory.mktemp("oblique") / "a.nii", voxels(), affine)
    volume = read_nifti(path, Unit.ACTIVITY)
    assert volume.unit is Unit.ACTIVITY
    index = np.argwhere(volume.voxels == 17)[0]
    assert np.allclose(
        volume.grid.world(index), affine @ [*np.argwhere(voxels() == 17)[0], 1] @ np.eye(4, 3), atol=1e-3
    )
    write_mask(path, Mask(volume.voxels > 60, volume.affine), volume.stored)
    assert np.array_equal(np.asarray(nib.load(path).dataobj), voxels() > 60)
    assert np.array_equal(read_mask(path, volume).voxels, volume.voxels > 60)


def test_scaled_integers_and_trailing_axes_of_one(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", np.full((*SHAPE, 1), 3, np.int16))
    patched(path, 112, np.array([0.5, 1.0], "<f4").tobytes())  # scl_slope, scl_inter
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("a.nii", "a.nii.gz"):
        volume = read_nifti(tmp_path / name, Unit.SUVBW)
        assert volume.voxels.shape == SHAPE
        assert np.array_equal(volume.voxels, np.full(SHAPE, 2.5, np.float32))


def test_nifti_2_is_read(tmp_path: Path) -> None:
    nib.Nifti2Image(voxels(), AFFINE).to_filename(tmp_path / "a.nii")
    assert np.array_equal(read_nifti(tmp_path / "a.nii", Unit.SUVBW).voxels, voxels())


def test_names() -> None:
    assert is_nifti(Path("a.NII.gz"))
    assert is_nifti(Path("a.nii"))
    assert not is_nifti(Path("a.gz"))


def test_mask_file_is_small_quick_and_says_what_it_is(tmp_path: Path) -> None:
    content = np.zeros((168, 168, 400), bool)
    content[50:60, 60:70, 100:120] = True
    mask = Mask(content, np.diag([4.07, 4.07, 3.0, 1.0]))
    start = time.perf_counter()
    write_mask(tmp_path / "m.nii.gz", mask)
    # 0.06 s on two cores; the limit leaves room for a busy machine.
    assert time.perf_counter() - start < 1.0
    image = nib.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert image.header["descrip"].item() == b"pointpet: research use only"
    assert image.header["qform_code"] == image.header["sform_code"] == 1
    assert image.header.get_xyzt_units()[0] == "mm"
    assert (tmp_path / "m.nii.gz").stat().st_size < 200_000


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    volume = Volume(voxels(), AFFINE)
    write_volume(tmp_path / "a.nii.gz", volume)
    write_volume(tmp_path / "b.nii.gz", volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert (tmp_path / "a.nii.gz").read_bytes()[4:8] == bytes(4), "no time of writing"


def test_mask_for_another_stored_grid_is_refused(tmp_path: Path) -> None:
    mask = Mask(voxels() > 3, AFFINE)
    with pytest.raises(
        GeometryError, match=r"m\.nii: the stored grid \(4, 5, 7\) must be the voxels' grid \(4, 5, 6\)"
    ):
        write_mask(tmp_path / "m.nii", mask, Grid((4, 5, 7), AFFINE))
    moved = AFFINE.copy()
    moved[0, 3] += 0.01
    with pytest.raises(GeometryError, match="in another order"):
        write_mask(tmp_path / "m.nii", mask, Grid(SHAPE, moved))
    assert not list(tmp_path.iterdir())


def test_mask_values(tmp_path: Path) -> None:
    volume = Volume(voxels(), AFFINE)
    labels = np.zeros(SHAPE, np.int16)
    labels[1, 2, 3] = 7
    for kind in (np.int16, np.uint8, np.float32, np.float64):
        found = read_mask(save(tmp_path / "m.nii", labels.astype(kind)), volume)
        assert np.argwhere(found.voxels).tolist() == [[1, 2, 3]]
    assert not read_mask(save(tmp_path / "m.nii", 0 * labels), volume).voxels.any()
    for bad, shown in ((0.5, "0.5"), (-1.0, "-1"), (np.nan, "nan")):
        content = labels.astype(np.float32)
        content[0, 0, 0] = bad
        with pytest.raises(ImageReadError, match=f"whole numbers from 0, got {shown} in 1 voxels") as caught:
            read_mask(save(tmp_path / "m.nii", content), volume)
        assert caught.value.code == "PP-NIFTI-MASK"
    with pytest.raises(ImageReadError, match="got -1 in 1 voxels"):
        read_mask(save(tmp_path / "m.nii", np.where(labels == 7, -1, 0).astype(np.int16)), volume)


def test_mask_on_another_grid_is_refused_unread(tmp_path: Path) -> None:
    volume = Volume(voxels(), AFFINE)
    moved = AFFINE.copy()
    moved[2, 3] += 0.5
    with pytest.raises(GeometryError, match=r"m\.nii: the mask must lie on the PET's grid"):
        read_mask(save(tmp_path / "m.nii", np.zeros(SHAPE, np.uint8), moved), volume)
    with pytest.raises(GeometryError, match=r"got \(4, 5, 5\)"):
        read_mask(save(tmp_path / "m.nii", np.full((4, 5, 5), 0.5)), volume)


def test_activation_map_returns_and_lies_over_the_pet(tmp_path: Path) -> None:
    pet = Volume(np.ones((20, 30, 40), np.float32), np.diag([4.0, 4.0, 3.0, 1.0]))
    origin = np.array([-1.0, -1.0, -0.5])
    for plane, shape in ((Plane.CORONAL, (40, 60)), (Plane.SAGITTAL, (60, 60))):
        values = np.linspace(0, 1, np.prod(shape)).reshape(shape)
        activation = ActivationMap(values, plane, "Lunge, rechts é", 2.0, origin)
        path = tmp_path / f"{plane}.nii.gz"
        depth = 60 if plane is Plane.CORONAL else 40
        write_map(path, activation, ray_cells=depth)
        again = read_map(path)
        assert np.array_equal(again.values, activation.values)
        assert (again.plane, again.class_name, again.pixel_mm) == (plane, "Lunge, rechts é", 2.0)
        assert again.origin_mm is not None
        assert np.array_equal(again.origin_mm, origin)
        image = nib.load(path)
        grid = Grid(image.shape, image.affine)
        # Every voxel centre of the PET falls into the slab, in the cell that its world coordinates say.
        corners = pet.grid.world(np.array([[0, 0, 0], [19, 29, 39], [7, 3, 11]]))
        assert grid.contains(corners).all()
        cells = np.rint(grid.indices(corners)).astype(int)
        expected = np.rint((corners - origin) / 2.0).astype(int)
        expected[:, plane.ray_axis] = 0
        assert np.array_equal(cells, expected)


def test_activation_map_without_a_world(tmp_path: Path) -> None:
    write_map(tmp_path / "a.nii.gz", ActivationMap(np.ones((3, 4)), Plane.CORONAL, "lung", 1.0))
    assert read_map(tmp_path / "a.nii.gz").origin_mm is None
    assert nib.load(tmp_path / "a.nii.gz").shape == (3, 1, 4)


def test_read_map_refuses_other_images(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"a\.nii: must be an activation map of pointpet, and is not"):
        read_map(save(tmp_path / "a.nii", voxels()))


# Each maker writes a bad file and returns its path.
def empty(folder: Path) -> Path:
    (folder / "a.nii").write_bytes(b"")
    return folder / "a.nii"


def text(folder: Path) -> Path:
    (folder / "a.nii").write_text("case_id,pet\n" * 100)
    return folder / "a.nii"


def text_named_gz(folder: Path) -> Path:
    (folder / "a.nii.gz").write_text("case_id,pet\n")
    return folder / "a.nii.gz"


def gzip_named_nii(folder: Path) -> Path:
    return save(folder / "a.nii.gz", voxels()).rename(folder / "a.nii")


def lfs(folder: Path) -> Path:
    (folder / "a.nii.gz").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return folder / "a.nii.gz"


def truncated_header(folder: Path) -> Path:
    path = save(folder / "a.nii", voxels())
    path.write_bytes(path.read_bytes()[:200])
    return path


def truncated_voxels(folder: Path) -> Path:
    path = save(folder / "a.nii", voxels())
    path.write_bytes(path.read_bytes()[:-10])
    return path


def truncated_gzip(folder: Path) -> Path:
    path = save(folder / "a.nii.gz", np.random.default_rng(0).random(SHAPE))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def damaged_gzip(folder: Path) -> Path:
    path = save(folder / "a.nii.gz", np.random.default_rng(0).random(SHAPE))
    return patched(path, path.stat().st_size - 60, b"\xff" * 30)


def huge(folder: Path) -> Path:
    path = save(folder / "a.nii", voxels())
    return patched(path, 42, np.array([2000, 2000, 1200], "<i2").tobytes())


def huge_sparse(folder: Path) -> Path:
    path = huge(folder)
    with path.open("r+b") as file:
        file.truncate(20 * 2**30)
    return path


def bomb(folder: Path) -> Path:
    path = huge(folder)
    (folder / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes() + bytes(20_000_000)))
    return folder / "a.nii.gz"


def time_series(folder: Path) -> Path:
    return save(folder / "a.nii", np.ones((*SHAPE, 3), np.float32))


def flat(folder: Path) -> Path:
    return save(folder / "a.nii", np.ones((4, 5), np.float32))


def colour(folder: Path) -> Path:
    return save(folder / "a.nii", np.ones(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]))


def complex_numbers(folder: Path) -> Path:
    return save(folder / "a.nii", np.ones(SHAPE, np.complex64))


def not_a_number(folder: Path) -> Path:
    content = voxels()
    content[1, 2, 3] = np.nan
    content[2, 0, 0] = np.inf
    return save(folder / "a.nii", content)


def too_large_for_float32(folder: Path) -> Path:
    return save(folder / "a.nii", np.where(voxels() == 1, 1e300, 1.0))


def zero(folder: Path) -> Path:
    return save(folder / "a.nii", 0 * voxels())


def singular(folder: Path) -> Path:
    path = save(folder / "a.nii", voxels())
    return patched(path, 280, np.zeros(4, "<f4").tobytes())  # srow_x


def infinite_affine(folder: Path) -> Path:
    path = save(folder / "a.nii", voxels())
    return patched(path, 280, np.array([np.inf, 0, 0, 0], "<f4").tobytes())


def no_geometry(folder: Path) -> Path:
    return patched(save(folder / "a.nii", voxels()), 252, bytes(4))  # qform_code, sform_code


def negative_spacing(folder: Path) -> Path:
    return patched(save(folder / "a.nii", voxels()), 80, np.array([-4.0], "<f4").tobytes())  # pixdim[1]


def negative_spacing_zipped(folder: Path) -> Path:
    path = negative_spacing(folder)
    (folder / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "a.nii.gz"


def metres(folder: Path) -> Path:
    return patched(save(folder / "a.nii", voxels()), 123, b"\x01")  # xyzt_units


def unknown_unit(folder: Path) -> Path:
    return patched(save(folder / "a.nii", voxels()), 123, b"\xc8\x07"[1:])


def missing(folder: Path) -> Path:
    return folder / "a.nii"


def dangling(folder: Path) -> Path:
    (folder / "a.nii").symlink_to(folder / "absent.nii")
    return folder / "a.nii"


def loop(folder: Path) -> Path:
    (folder / "a.nii").symlink_to(folder / "a.nii")
    return folder / "a.nii"


def a_folder(folder: Path) -> Path:
    (folder / "a.nii").mkdir()
    return folder / "a.nii"


def other_name(folder: Path) -> Path:
    return save(folder / "a.nii", voxels()).rename(folder / "a.img")


BAD: list[tuple[Callable[[Path], Path], str, str]] = [
    (empty, "TRUNCATED", "is empty"),
    (text, "READ", "cannot be read as NIfTI"),
    (text_named_gz, "READ", "holds no gzip data, unlike its name's ending"),
    (gzip_named_nii, "READ", "holds gzip data, unlike its name's ending"),
    (lfs, "LFS", "is a Git LFS pointer, not the image. Fetch the image with `git lfs pull`"),
    (truncated_header, "READ", "cannot be read as NIfTI"),
    (truncated_voxels, "TRUNCATED", "its header asks for 832 bytes, the file has 822"),
    (truncated_gzip, "TRUNCATED", "ends early or is damaged"),
    (damaged_gzip, "TRUNCATED", "ends early or is damaged"),
    (huge, "TRUNCATED", "its header asks for 19,200,000,352 bytes"),
    (huge_sparse, "SIZE", "would unpack to 19,200,000,352, more than an image can"),
    (bomb, "SIZE", "would unpack to 19,200,000,352, more than an image can"),
    (time_series, "AXES", r"needs three axes, got shape \(4, 5, 6, 3\)"),
    (flat, "AXES", r"needs three axes, got shape \(4, 5\)"),
    (colour, "TYPE", "voxels must be plain numbers"),
    (complex_numbers, "TYPE", "voxels must be plain numbers, got complex64"),
    (not_a_number, "FINITE", r"NaN or Inf in 2, the first at index \(1, 2, 3\)"),
    (too_large_for_float32, "FINITE", r"NaN or Inf in 1, the first at index \(0, 0, 0\)"),
    (zero, "EMPTY", r"needs a positive voxel, got none \(all zero or below\)"),
    (singular, "GEOMETRY", "its affine is wrong: its axes must span space"),
    (infinite_affine, "GEOMETRY", "its affine is not finite, or far beyond any scanner"),
    (no_geometry, "GEOMETRY", "its header gives no position"),
    (negative_spacing, "SPACING", r"voxel sizes must be over 0 mm, got \[-4.0, 3.0, 2.0\]"),
    (negative_spacing_zipped, "SPACING", r"voxel sizes must be over 0 mm, got \[-4.0, 3.0, 2.0\]"),
    (metres, "UNITS", "lengths must be in mm, got metres"),
    (unknown_unit, "UNITS", "lengths must be in mm, got code 7"),
    (missing, "MISSING", "does not exist"),
    (dangling, "MISSING", "does not exist"),
    (loop, "READ", "cannot be read as NIfTI"),
    (a_folder, "READ", "cannot be read as NIfTI"),
    (other_name, "NAME", r"its name must end in .nii or .nii.gz"),
]


@pytest.mark.parametrize(("make", "code", "message"), BAD, ids=[make.__name__ for make, _, _ in BAD])
def test_bad_files_are_refused_quickly_and_by_bare_name(
    tmp_path: Path, make: Callable[[Path], Path], code: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    start = time.perf_counter()
    with pytest.raises(ImageReadError, match=message) as caught:
        read_nifti(path, Unit.SUVBW)
    assert time.perf_counter() - start < 2
    assert caught.value.code == f"PP-NIFTI-{code}"
    assert caught.value.subject == path.name
    assert str(tmp_path) not in str(caught.value)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a_file_that_is_no_nifti_though_nibabel_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.nii", voxels())
    monkeypatch.setattr(nifti.nib, "load", lambda *_, **__: nib.MGHImage(voxels(), AFFINE))
    with pytest.raises(ImageReadError, match="cannot be read as NIfTI"):
        read_nifti(path, Unit.SUVBW)


def test_header_damage_never_ends_in_anything_but_an_error_of_ours(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    good = save(tmp_path / "a.nii", voxels()).read_bytes()
    refused = 0
    for number in range(300):
        content = bytearray(good)
        for place in rng.integers(0, 352, 3):
            content[place] = rng.integers(0, 256)
        zipped = number % 2 == 1
        path = tmp_path / ("x.nii.gz" if zipped else "x.nii")
        path.write_bytes(gzip.compress(bytes(content), 1) if zipped else bytes(content))
        try:
            assert np.isfinite(read_nifti(path, Unit.SUVBW).voxels).all()
        except PointpetError:
            refused += 1
    assert refused > 50


def test_nibabels_logger_is_left_as_it_was(tmp_path: Path) -> None:
    read_nifti(save(tmp_path / "a.nii", voxels()), Unit.SUVBW)
    assert not logging.getLogger("nibabel.global").disabled
    with pytest.raises(ImageReadError):
        read_nifti(text(tmp_path), Unit.SUVBW)
    assert not logging.getLogger("nibabel.global").disabled


@pytest.mark.realdata
def test_sts_images_are_read_and_their_masks_fit(real_data: Path) -> None:
    folder = real_data / "sts" / "nifti" / "STS_001"
    volume = read_nifti(folder / "PET_image.nii.gz", Unit.SUVBW)
    assert volume.grid.is_axis_aligned, "stored as L, P, S, turned to RAS+"
    assert volume.stored is not None
    assert (np.diag(volume.stored.affine)[:2] < 0).all()
    mask = read_mask(folder / "PET_mask.nii.gz", volume)
    assert 0 < mask.voxels.mean() < 0.5
    assert volume.voxels[mask.voxels].mean() > volume.voxels[~mask.voxels].mean()


def test_mask_of_another_grid_is_resampled_where_asked(tmp_path: Path) -> None:
    """A block of twice the voxel size covers the same space; what lies beyond the PET is cut off."""
    fine = Volume(np.ones((8, 8, 8), np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
    coarse = np.zeros((6, 6, 6), np.uint8)
    coarse[1:3, 1:3, 1:3] = 1
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = 1.0
    path = save(tmp_path / "coarse.nii", coarse, affine)
    with pytest.raises(GeometryError, match=r"must lie on the PET's grid .* write 1 into mask_resample of its row"):
        read_mask(path, fine)
    found = read_mask(path, fine, resample=True)
    assert found.grid.matches(fine.grid)
    expected = np.zeros((8, 8, 8), bool)
    expected[2:6, 2:6, 2:6] = True
    assert (found.voxels == expected).all()
