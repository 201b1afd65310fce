"""Ready-made MIPs (PNG, NPY) and their 2D masks: read as SUV, and written.

Where the SUV of the grey values is not stated, or cannot be right, the picture is scaled until its body has the level
that bodies have (`BODY_LEVEL_SUV`). Such values are good to learn and to outline from; no SUV is reported of them.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pointpet.core import Case, ImageReadError, MipPair, Plane, PointpetError, from_picture
from pointpet.image.picture_body import BODY_LEVEL_SUV, has_hot_border, is_level_plausible, picture_body
from pointpet.io.artefacts import write_bytes

LARGEST_PICTURE_PIXELS = 64_000_000
"""No MIP is larger; a small file that claims to be is refused before it is unpacked."""

_GREY_MODES = {"L": 255, "I;16": 65535, "I;16B": 65535, "I;16L": 65535, "I": 65535}
"""Pillow's modes of 8- and 16-bit grey PNG, and the largest value of each."""

_COLOUR_MODES = ("1", "LA", "P", "PA", "RGB", "RGBA")
"""Modes that may hold a grey picture too: many programs save nothing else."""


@dataclass(frozen=True, eq=False)
class PictureReading:
    """A case's ready-made pictures as SUV.

    Args:
        mips: the views, without a world.
        warnings: what was not taken as it stood.
    """

    mips: MipPair
    warnings: tuple[PointpetError, ...] = ()


def read_mip_pictures(case: Case, *, by_body: bool = False) -> PictureReading:
    """Read a case's ready-made pictures as SUV.

    PNG holds grey values of 8 or 16 bits, of which the largest is `mip_scale`; NPY holds SUV itself. `mip_inverted`
    turns both: 0 is then hot. A PNG without `mip_scale`, and values of which no body can consist, are scaled by the
    body's level.

    Args:
        case: with `mips`; row 0 of a picture is the head, column 0 the patient's right (coronal) or front (sagittal).
        by_body: scale every picture by its body's level, whatever is stated.

    Raises:
        ImageReadError: no picture, no readable grey picture, values that are not finite, none over 0, sides that are
            hot (grey values upside down), or an inverted NPY without a scale.
    """
    if not case.mips:
        raise ImageReadError("PP-PICTURE-NONE", f"case {case.case_id}", "has no ready-made picture", "Give one")
    views, warnings = {}, []
    for plane, path in case.mips.items():
        suv, found = _suv(case, path, by_body=by_body)
        views[plane] = from_picture(suv)
        warnings += found
    mips = MipPair(views.get(Plane.CORONAL), views.get(Plane.SAGITTAL), case.pixel_mm)
    return PictureReading(mips, tuple(warnings))


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


def write_picture(path: Path, picture: NDArray) -> None:
    """Write a picture (H, W) as NPY, or as grey PNG where it holds uint8 or uint16; the name's ending decides."""
    content = io.BytesIO()
    if path.suffix.lower() == ".npy":
        np.save(content, np.ascontiguousarray(picture), allow_pickle=False)
    else:
        Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG")
    write_bytes(path, content.getvalue())


def _suv(case: Case, path: Path, *, by_body: bool) -> tuple[NDArray[np.float32], list[PointpetError]]:
    """One picture (H, W) in SUV, and what is to be said of it."""
    values, largest = _picture(case, path)
    suv = values.astype(np.float32)
    if largest is not None:
        suv = (np.float32(largest) - suv if case.mip_inverted else suv) * np.float32((case.mip_scale or 1.0) / largest)
    elif case.mip_inverted:
        if case.mip_scale is None:
            raise _error(case, path, "SCALE", "needs mip_scale, the value that is cold", "Give it in cohort.csv")
        suv = np.float32(case.mip_scale) - suv
    body = picture_body(suv)
    if body is None:
        raise _error(case, path, "EMPTY", "needs a value over 0, got none", "Export the picture again")
    if has_hot_border(suv):
        remedy = "Leave mip_inverted blank" if case.mip_inverted else "Set mip_inverted to 1"
        raise _error(case, path, "INVERTED", "must be cold at its sides, where air is; they are hot", remedy)
    stated = largest is None or case.mip_scale is not None
    plausible = is_level_plausible(body.level)
    if stated and plausible and not by_body:
        return suv, []
    warnings: list[PointpetError] = []
    if stated and not plausible:
        problem = f"values are no SUV: the body's median is {body.level:.3g}, so they are scaled by the body instead"
        warnings.append(_error(case, path, "LEVEL", problem, "Correct mip_scale, or leave it blank"))
    return suv * np.float32(BODY_LEVEL_SUV / body.level), warnings


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
        if image.mode in _GREY_MODES:
            return np.asarray(image), _GREY_MODES[image.mode]
        # Three equal channels are grey, whatever the file calls it.
        channels = np.asarray(image.convert("RGBA")) if image.mode in _COLOUR_MODES else None
        if channels is None or np.ptp(channels[..., :3], axis=2).any() or (channels[..., 3] < 255).any():
            raise _error(
                case, path, "COLOUR", f"must be 8- or 16-bit grey, got mode {image.mode}", "Save it as greyscale PNG"
            )
        return channels[..., 0], 255


def _check_size(case: Case, path: Path, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > LARGEST_PICTURE_PIXELS:
        raise _error(case, path, "SIZE", f"{' x '.join(map(str, shape))} pixels are more than a MIP has", "Give a MIP")


def _error(case: Case, path: Path, code: str, problem: str, remedy: str) -> ImageReadError:
    return ImageReadError(f"PP-PICTURE-{code}", f"case {case.case_id}: {path.name}", problem, remedy)
