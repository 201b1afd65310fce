"""NIfTI files: PET volumes, masks and activation maps. The only place where voxel order is changed."""

from __future__ import annotations

import gzip
import io
import json
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import logger as nibabel_logger
from nibabel.nifti1 import Nifti1Extension, Nifti1Image
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from pointpet.core import (
    ActivationMap,
    GeometryError,
    Grid,
    ImageReadError,
    Mask,
    Plane,
    Unit,
    Volume,
    require_same_grid,
)
from pointpet.image.resample import resample_mask
from pointpet.io.artefacts import write_bytes

NOTE = "pointpet: research use only"
GZIP_LEVEL = 1
"""Fastest: a mask shrinks a hundredfold at any level, and noise at none."""

LARGEST_BYTES = 4 * 2**30
"""Of voxels: a total-body scan at 1.65 mm in double precision takes a quarter of it."""

LARGEST_GZIP_RATIO = 250
"""PET shrinks 2- to 20-fold in gzip; what grows more than this, and to more than `FREE_BYTES`, is no PET."""
FREE_BYTES = 64 * 2**20

LARGEST_COORDINATE_MM = 1e5
"""A hundred metres."""

_MILLIMETRES = (0, 2)
"""Codes of the header's xyzt_units for "not stated" and millimetres (NIfTI-1 standard, NIFTI_UNITS)."""

_TRAILING_BYTES = 2**20
"""How far behind the voxels a gzip file is read for its checksum; no more, since a bomb may follow."""

_LFS_POINTER = b"version https://git-lfs"
_GZIP_MAGIC = b"\x1f\x8b"
_ENDINGS = (".nii", ".nii.gz")


def is_nifti(path: Path) -> bool:
    """True where the name ends as a NIfTI file's does."""
    return Path(path).name.lower().endswith(_ENDINGS)


def read_nifti(path: Path, unit: Unit) -> Volume:
    """Read a PET in RAS+ voxel order; its `stored` grid remembers the file's own.

    Args:
        path: `.nii` or `.nii.gz`; three axes (further ones of length 1 are dropped).
        unit: what the file's numbers mean; a NIfTI header does not say.

    Raises:
        ImageReadError: not a readable NIfTI image, no valid geometry, voxels that are not finite, or no positive voxel.
    """
    path = Path(path)
    image = _open(path, LARGEST_GZIP_RATIO)
    stored = _stored_grid(path, image)
    voxels = _voxels(path, image)
    lowest, highest = float(voxels.min()), float(voxels.max())
    if not np.isfinite([lowest, highest]).all():
        _refuse_undefined(path, voxels)
    if highest <= 0:
        raise _error(path, "EMPTY", "needs a positive voxel, got none (all zero or below)", "Export the image again")
    order = io_orientation(stored.affine)
    # Copied where an axis was turned: many libraries refuse negative strides.
    turned = np.asfortranarray(apply_orientation(voxels, order))
    return Volume(turned, _canonical(stored).affine, unit, stored)


def read_mask(path: Path, volume: Volume, *, resample: bool = False) -> Mask:
    """Read a mask of `volume`: any voxel order of its grid; 0 is background, every positive whole number foreground.

    An empty mask is returned as it is.

    Args:
        path: the file. volume: the PET it belongs to.
        resample: bring a mask of another grid to the PET's by nearest neighbour instead of refusing it.

    Raises:
        ImageReadError: not a readable NIfTI image, or values that are no whole numbers from 0.
        GeometryError: it lies on another grid than the PET.
    """
    path = Path(path)
    image = _open(path, None)
    stored = _stored_grid(path, image)
    grid = _canonical(stored)
    if not resample:
        # The grid is compared before any voxel is read, so that a wrong file costs nothing.
        require_same_grid(path.name, volume, Mask(np.broadcast_to(np.False_, grid.shape), grid.affine))
    voxels = _voxels(path, image, whole=True)
    bad = (voxels < 0) | (voxels != np.rint(voxels)) if voxels.dtype.kind in "fi" else np.zeros((1, 1, 1), bool)
    if bad.any():
        raise _error(
            path,
            "MASK",
            f"mask values must be whole numbers from 0, got {voxels[bad][0]:g} in {np.count_nonzero(bad)} voxels",
            "Save the mask with a threshold applied, 0 outside and 1 inside",
        )
    turned = np.asfortranarray(apply_orientation(voxels > 0, io_orientation(stored.affine)))
    if grid.matches(volume.grid):
        return Mask(turned, volume.affine)
    return resample_mask(Mask(turned, grid.affine), volume.grid)


def write_volume(path: Path, volume: Volume) -> None:
    """Write `volume` as float32 in its stored voxel order."""
    stored = volume.stored or volume.grid
    _write(path, _restore(Path(path), volume.voxels, volume.grid, stored), stored)


def write_mask(path: Path, mask: Mask, stored: Grid | None = None) -> None:
    """Write `mask` as 0 and 1 (uint8) in the voxel order of `stored`, its own where absent.

    Raises:
        GeometryError: `stored` is another grid than the mask's.
    """
    stored = stored or mask.grid
    _write(path, _restore(Path(path), mask.voxels.view(np.uint8), mask.grid, stored), stored)


def write_map(path: Path, activation: ActivationMap, *, ray_cells: int = 1) -> None:
    """Write an activation map as an image one voxel thick, (X, 1, Z) or (1, Y, Z), float32.

    Args:
        path: `.nii` or `.nii.gz`.
        activation: the map; without a world (ready-made pictures) the first pixel's centre becomes the origin.
        ray_cells: pixels that the field of view is deep. The one voxel spans them, so that a viewer shows the map over
            every slice of the PET.
    """
    ray = activation.plane.ray_axis
    size = np.full(3, activation.pixel_mm)
    size[ray] *= ray_cells
    origin = np.zeros(3) if activation.origin_mm is None else np.array(activation.origin_mm)
    origin[ray] += (ray_cells - 1) / 2 * activation.pixel_mm
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = origin
    voxels = np.expand_dims(activation.values, ray)
    description = {
        "kind": "activation map",
        "plane": str(activation.plane),
        "class": activation.class_name,
        "pixel_mm": activation.pixel_mm,
        "origin_mm": None if activation.origin_mm is None else activation.origin_mm.tolist(),
    }
    _write(path, voxels, Grid(voxels.shape, affine), json.dumps(description))


def read_map(path: Path) -> ActivationMap:
    """Read what `write_map` wrote.

    Raises:
        ImageReadError: not a readable NIfTI image, or not one of our maps.
    """
    path = Path(path)
    image = _open(path, None)
    try:
        about = json.loads(image.header.extensions[0].get_content())  # type: ignore[attr-defined]
        plane = Plane(about["plane"])
        class_name, pixel_mm, origin_mm = about["class"], float(about["pixel_mm"]), about["origin_mm"]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise _error(path, "MAP", "must be an activation map of pointpet, and is not", "Give cam_*.nii.gz") from error
    values = _voxels(path, image).squeeze(plane.ray_axis)
    return ActivationMap(values, plane, class_name, pixel_mm, None if origin_mm is None else np.array(origin_mm))


def _error(path: Path, code: str, problem: str, remedy: str) -> ImageReadError:
    return ImageReadError(f"PP-NIFTI-{code}", path.name, problem, remedy)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what nibabel, gzip and the file system raise on a bad file into one kind of error."""
    try:
        yield
    except FileNotFoundError as error:
        raise _error(path, "MISSING", "does not exist", "Correct the path") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _error(path, "TRUNCATED", "ends early or is damaged", "Copy or export the file again") from error
    except (ImageFileError, HeaderDataError, OSError, ValueError, OverflowError, MemoryError) as error:
        raise _error(path, "READ", "cannot be read as NIfTI", "Check that it is a whole NIfTI-1 or -2 file") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from printing about a doubtful header: what matters of it is judged here."""
    was_disabled, nibabel_logger.disabled = nibabel_logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        nibabel_logger.disabled = was_disabled


def _open(path: Path, largest_ratio: int | None) -> Nifti1Image:
    """Open a file, judge its header and what its voxels would take, and read none of them yet."""
    if not is_nifti(path):
        raise _error(path, "NAME", "its name must end in .nii or .nii.gz", "Convert the image to NIfTI")
    with _readable(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise _error(path, "LFS", "is a Git LFS pointer, not the image", "Fetch the image with `git lfs pull`")
    if size == 0:
        raise _error(path, "TRUNCATED", "is empty", "Copy or export the file again")
    zipped = start.startswith(_GZIP_MAGIC)
    if zipped != path.name.lower().endswith(".gz"):
        held = "gzip data" if zipped else "no gzip data"
        raise _error(path, "READ", f"holds {held}, unlike its name's ending", "Rename it, or export it again")
    with _readable(path), _quiet():
        image = nib.load(path, mmap=False)  # pyright: ignore[reportPrivateImportUsage]
    if not isinstance(image, Nifti1Image):
        raise _error(path, "READ", "cannot be read as NIfTI", "Check that it is a whole NIfTI-1 or -2 file")
    _check_header(path, image)
    _check_size(path, image, size, (largest_ratio or 1100) if zipped else None)
    return image


def _check_header(path: Path, image: Nifti1Image) -> None:
    """Refuse shapes, types and geometry that are not those of a 3D image of numbers."""
    header, shape = image.header, image.shape
    if len(shape) < 3 or any(n != 1 for n in shape[3:]) or min(shape) < 1:
        raise _error(path, "AXES", f"needs three axes, got shape {shape}", "Give one 3D image, no time series")
    if header.get_data_dtype().kind not in "iuf":
        kind = header.get_data_dtype()
        raise _error(path, "TYPE", f"voxels must be plain numbers, got {kind}", "Export the image as numbers")
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        raise _error(
            path, "GEOMETRY", "its header gives no position (qform and sform codes are 0)", "Export it with geometry"
        )
    length_unit = int(header["xyzt_units"]) % 8
    if length_unit not in _MILLIMETRES:
        named = {1: "metres", 3: "micrometres"}.get(length_unit, f"code {length_unit}")
        raise _error(path, "UNITS", f"lengths must be in mm, got {named}", "Convert it to mm")


def _check_size(path: Path, image: Nifti1Image, size: int, largest_ratio: int | None) -> None:
    """Compare what the header asks for with what the file can hold, before anything is allocated."""
    asked = _asked_bytes(image)
    if largest_ratio is None and asked > size:
        raise _error(
            path,
            "TRUNCATED",
            f"its header asks for {asked:,} bytes, the file has {size:,}",
            "Copy or export the file again",
        )
    unlikely = largest_ratio is not None and asked > FREE_BYTES and asked > size * largest_ratio
    if unlikely or asked > LARGEST_BYTES:
        raise _error(
            path,
            "SIZE",
            f"the file of {size:,} bytes would unpack to {asked:,}, more than an image can",
            "Check the file's header",
        )


def _stored_grid(path: Path, image: Nifti1Image) -> Grid:
    """The grid as the file holds it."""
    steps = [float(step) for step in _raw_steps(path, image)]
    if not all(step > 0 for step in steps):
        raise _error(path, "SPACING", f"voxel sizes must be over 0 mm, got {steps}", "Correct pixdim in the header")
    affine = np.asarray(image.affine, np.float64)
    if not np.abs(affine).max() <= LARGEST_COORDINATE_MM:
        raise _error(path, "GEOMETRY", "its affine is not finite, or far beyond any scanner", "Export it with geometry")
    try:
        return Grid(image.shape[:3], affine)  # type: ignore[arg-type]
    except GeometryError as error:
        raise _error(path, "GEOMETRY", f"its {error.subject} is wrong: {error.problem}", error.remedy) from error


def _raw_steps(path: Path, image: Nifti1Image) -> NDArray[np.float64]:
    """The three voxel sizes as the file states them (nibabel drops a wrong sign when it loads a header)."""
    with _readable(path), image.file_map["image"].get_prepare_fileobj("rb") as file:
        start = file.read(type(image.header).template_dtype.itemsize)
    header = np.frombuffer(start, type(image.header).template_dtype.newbyteorder(image.header.endianness))[0]
    return header["pixdim"][1:4]


def _voxels(path: Path, image: Nifti1Image, *, whole: bool = False) -> NDArray:
    """The voxels in the file's order: float32, or for a `whole`-number image in its own type where it has one."""
    with _readable(path), np.errstate(over="ignore", invalid="ignore"):
        voxels = np.asanyarray(_proxy(path, image))
        if not (whole and voxels.dtype.kind in "iu"):
            voxels = voxels.astype(np.float32, copy=False)
    return voxels.reshape(image.shape[:3], order="F")


def _proxy(path: Path, image: Nifti1Image) -> ArrayProxy:
    """The voxels of `image`; out of a gzip file whose checksum was verified, before which nibabel alone stops."""
    proxy = image.dataobj
    assert isinstance(proxy, ArrayProxy)
    if not _is_zipped(path):
        return proxy
    with gzip.open(path) as file:
        content = file.read(_asked_bytes(image))
        file.read(_TRAILING_BYTES)
    return ArrayProxy(io.BytesIO(content), (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter))


def _asked_bytes(image: Nifti1Image) -> int:
    """How many bytes the header says that the file has, itself included."""
    proxy = image.dataobj
    assert isinstance(proxy, ArrayProxy)
    return int(proxy.offset) + int(np.prod([int(n) for n in proxy.shape], dtype=object)) * proxy.dtype.itemsize


def _refuse_undefined(path: Path, voxels: NDArray) -> None:
    """Say how many voxels are NaN or Inf, and where the first lies."""
    bad = ~np.isfinite(voxels)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    raise _error(
        path,
        "FINITE",
        f"voxels must be finite numbers, got NaN or Inf in {np.count_nonzero(bad)}, the first at index {first}",
        "Export the image again, or replace them by 0 where that is right",
    )


def _canonical(stored: Grid) -> Grid:
    """The same voxels in the order closest to RAS+."""
    order = io_orientation(stored.affine)
    shape = tuple(np.array(stored.shape)[np.argsort(order[:, 0])])
    return Grid(shape, stored.affine @ inv_ornt_aff(order, stored.shape))


def _restore(path: Path, voxels: NDArray, grid: Grid, stored: Grid) -> NDArray:
    """Bring RAS+ voxels back to the order of `stored`."""
    if not _canonical(stored).matches(grid):
        raise GeometryError(
            "PP-GEO-STORED",
            path.name,
            f"the stored grid {stored.shape} must be the voxels' grid {grid.shape} in another order",
            "Write it on its own grid, or resample it first",
        )
    return apply_orientation(voxels, ornt_transform(io_orientation(grid.affine), io_orientation(stored.affine)))


def _write(path: Path, voxels: NDArray, grid: Grid, comment: str | None = None) -> None:
    """Write one image, equal bytes for equal content."""
    image = Nifti1Image(voxels, grid.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = NOTE.encode()
    image.set_sform(grid.affine, code="scanner")
    axes = grid.affine[:3, :3] / grid.spacing_mm
    # A quaternion cannot hold a sheared grid: the matrix alone stands then.
    orthogonal = np.allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    image.set_qform(grid.affine if orthogonal else None, code="scanner" if orthogonal else "unknown")
    if comment is not None:
        image.header.extensions.append(Nifti1Extension("comment", comment.encode()))
    content = image.to_bytes()
    write_bytes(path, gzip.compress(content, GZIP_LEVEL, mtime=0) if _is_zipped(path) else content)


def _is_zipped(path: Path) -> bool:
    """True where the name asks for gzip."""
    return Path(path).name.lower().endswith(".gz")
