"""MIPs on disk: our own cache, and ready-made pictures (PNG, NPY) with their 2D masks."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pointpet.core import Case, GeometryError, ImageReadError, MipPair, Plane, TurnedMips, from_picture
from pointpet.io.artefacts import write_bytes

LARGEST_PICTURE_PIXELS = 64_000_000
"""No MIP is larger; a small file that claims to be is refused before it is unpacked."""

_GREY_MODES = {"L": 255, "I;16": 65535, "I;16B": 65535, "I;16L": 65535, "I": 65535}
"""Pillow's modes of 8- and 16-bit grey PNG, and the largest value of each."""


def write_mips(path: Path, mips: MipPair) -> None:
    """Write MIPs as compressed `.npz`, float32, equal bytes for equal content."""
    arrays: dict[str, NDArray] = {"pixel_mm": np.array([mips.pixel_mm], np.float64)}
    arrays |= {str(plane): np.ascontiguousarray(mips.values(plane)) for plane in mips.planes}
    if mips.origin_mm is not None:
        arrays["origin_mm"] = mips.origin_mm
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes(path, content.getvalue())


def write_turned(path: Path, views: Sequence[TurnedMips]) -> None:
    """Write turned MIPs as compressed `.npz`, float32, equal bytes for equal content."""
    arrays: dict[str, NDArray] = {"matrix": np.array([view.matrix for view in views]).reshape(-1, 4, 4)}
    for number, view in enumerate(views):
        mips = view.mips
        assert mips.origin_mm is not None
        arrays[f"{number}_place"] = np.array([*mips.origin_mm, mips.pixel_mm], np.float64)
        arrays |= {f"{number}_{plane}": np.ascontiguousarray(mips.values(plane)) for plane in mips.planes}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes(path, content.getvalue())


def read_turned(path: Path) -> tuple[TurnedMips, ...]:
    """Read what `write_turned` wrote.

    Raises:
        ImageReadError: missing, damaged, or no turned MIPs of ours.
    """
    with own_cache(path) as arrays:
        views = []
        for number, matrix in enumerate(arrays["matrix"]):
            planes = [arrays.get(f"{number}_{plane}") for plane in Plane]
            place = arrays[f"{number}_place"]
            views.append(TurnedMips(MipPair(planes[0], planes[1], float(place[3]), place[:3]), matrix))
        return tuple(views)


def read_mips(path: Path) -> MipPair:
    """Read what `write_mips` wrote.

    Raises:
        ImageReadError: missing, damaged, or no MIPs of ours.
    """
    with own_cache(path) as arrays:
        views = [arrays.get(str(plane)) for plane in Plane]
        return MipPair(views[0], views[1], float(arrays["pixel_mm"][0]), arrays.get("origin_mm"))


@contextmanager
def own_cache(path: Path) -> Iterator[Mapping[str, NDArray]]:
    """The arrays of a file of our cache; whatever is wrong with it, the remedy is to prepare again."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except FileNotFoundError as error:
        raise ImageReadError("PP-MIP-MISSING", path.name, "does not exist", "Run `pointpet prepare`") from error
    except (
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        GeometryError,
    ) as error:
        raise ImageReadError(
            "PP-MIP-CACHE",
            path.name,
            "cannot be read as a part of the cache of pointpet",
            "Remove it and run `pointpet prepare` again",
        ) from error


def read_mip_pictures(case: Case) -> MipPair:
    """Read a case's ready-made pictures as SUV.

    PNG holds grey values of 8 or 16 bits, of which the largest is `mip_scale`; NPY holds SUV itself. `mip_inverted`
    turns both: 0 is then hot.

    Args:
        case: with `mips`; row 0 of a picture is the head, column 0 the patient's right (coronal) or front (sagittal).

    Returns:
        The views without a world; pixel size as the case states it.

    Raises:
        ImageReadError: no picture, no readable grey picture, values that are not finite, none over 0, or no scale.
    """
    if not case.mips:
        raise ImageReadError("PP-PICTURE-NONE", f"case {case.case_id}", "has no ready-made picture", "Give one")
    views = {plane: from_picture(_suv(case, path)) for plane, path in case.mips.items()}
    return MipPair(views.get(Plane.CORONAL), views.get(Plane.SAGITTAL), case.pixel_mm)


def read_picture_masks(case: Case) -> dict[Plane, NDArray[np.bool_]]:
    """Read all 2D masks that a case has, plane to (U, Z) bool; raises as `read_picture_mask`."""
    return {plane: read_picture_mask(case, plane) for plane in case.mip_masks}


def read_picture_mask(case: Case, plane: Plane) -> NDArray[np.bool_]:
    """Read a case's 2D mask, (U, Z) bool; every value over 0 is foreground.

    Raises:
        ImageReadError: no mask, not readable, values below 0 or not finite, or not of its picture's size.
    """
    if plane not in case.mip_masks or plane not in case.mips:
        raise ImageReadError("PP-PICTURE-NONE", f"case {case.case_id}", f"has no {plane} mask", "Give one")
    path = case.mip_masks[plane]
    values, _ = _picture(case, path)
    if values.min() < 0:
        raise _error(case, path, "MASK", f"mask values must be 0 or more, got {values.min():g}", "Save it as 0 and 1")
    picture, _ = _picture(case, case.mips[plane])
    if values.shape != picture.shape:
        raise _error(
            case, path, "SIZE", f"must have its picture's size {picture.shape}, got {values.shape}", "Save it anew"
        )
    return from_picture(values > 0)


def _suv(case: Case, path: Path) -> NDArray[np.float32]:
    """One picture (H, W) in SUV."""
    values, largest = _picture(case, path)
    if (largest is not None or case.mip_inverted) and case.mip_scale is None:
        raise _error(case, path, "SCALE", "needs mip_scale, the SUV of the largest value", "Give it in cohort.csv")
    suv = values.astype(np.float32)
    if largest is not None:
        suv *= np.float32(case.mip_scale) / np.float32(largest)
    if case.mip_inverted:
        suv = np.float32(case.mip_scale) - suv
    if suv.max() <= 0:
        raise _error(case, path, "EMPTY", "needs a value over 0, got none", "Export the picture again")
    return suv


def _picture(case: Case, path: Path) -> tuple[NDArray, int | None]:
    """Values (H, W) of a picture, finite, and the largest value of its type (None for NPY)."""
    try:
        values, largest = _read_npy(case, path) if path.suffix.lower() == ".npy" else _read_png(case, path)
    except FileNotFoundError as error:
        raise _error(case, path, "MISSING", "does not exist", "Correct the path") from error
    except (OSError, SyntaxError, ValueError, EOFError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _error(case, path, "READ", "cannot be read as PNG or NPY", "Export the picture again") from error
    if values.ndim != 2 or not values.size:
        raise _error(case, path, "SHAPE", f"must have rows and columns only, got shape {values.shape}", "Export it so")
    if not np.isfinite(values).all():
        raise _error(case, path, "FINITE", "values must be finite, got NaN or Inf", "Export the picture again")
    return values, largest


def _read_npy(case: Case, path: Path) -> tuple[NDArray, None]:
    # Mapped, so that a header that asks for more than the file holds is refused before anything is allocated.
    values = np.load(path, allow_pickle=False, mmap_mode="r")
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb":
        raise _error(case, path, "TYPE", "must hold one array of numbers", "Save it with numpy.save")
    _check_size(case, path, values.shape)
    with np.errstate(over="ignore"):
        return np.array(values, np.float32), None


def _read_png(case: Case, path: Path) -> tuple[NDArray, int]:
    with Image.open(path, formats=["PNG"]) as image:
        _check_size(case, path, (image.height, image.width))
        if image.mode not in _GREY_MODES:
            raise _error(
                case, path, "COLOUR", f"must be 8- or 16-bit grey, got mode {image.mode}", "Save it as greyscale PNG"
            )
        return np.asarray(image), _GREY_MODES[image.mode]


def _check_size(case: Case, path: Path, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > LARGEST_PICTURE_PIXELS:
        raise _error(case, path, "SIZE", f"{' x '.join(map(str, shape))} pixels are more than a MIP has", "Give a MIP")


def _error(case: Case, path: Path, code: str, problem: str, remedy: str) -> ImageReadError:
    return ImageReadError(f"PP-PICTURE-{code}", f"case {case.case_id}: {path.name}", problem, remedy)
