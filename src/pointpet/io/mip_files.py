"""The cache of MIPs on disk. Ready-made pictures are read in `mip_pictures`."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointpet.core import GeometryError, ImageReadError, MipPair, Plane, TurnedMips
from pointpet.io.artefacts import write_bytes


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
