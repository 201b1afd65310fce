"""What a page needs of a scan: its MIPs, slices about a point, one lesion's outline, a rotating MIP, surfaces."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Case, GeometryError, Grid, Mask, MipPair, Plane, Volume, to_picture
from pointpet.image.crop import bounding_box, crop
from pointpet.io.mip_pictures import read_mip_pictures
from pointpet.pipeline.inputs import read_case
from pointpet.project import project, project_mask, ray_depth

PIXEL_MM = 2.0
"""Of the pictures on a page: finer than any PET's resolution."""

SCAN_BYTES = 1 << 30
"""Scans kept in memory at most: some twenty whole bodies, so that going back is instant."""

READERS = 3
"""The case on the screen, the next one, and one for the list's thumbnails."""

OUTLINERS = 2
"""One for the click, beside one that was begun for a place where the mouse rested."""

KEPT_OUTLINES = 64
KEPT_MIPS = 256
THUMBNAIL_HEIGHT = 96
THUMBNAIL_SUV = 8.0
"""Upper end of a thumbnail's grey scale."""

NEAR_MM = 120.0
"""What the slices beside a click show about it, along each axis."""

PEAK_MARGIN_MM = 15.0
"""More than the diameter of the sphere of SUVpeak, 12.4 mm, so that it never meets the cut."""

AXIAL = "axial"
Contours = list[list[list[float]]]
"""Closed lines of (row, column) in picture pixels, 0 at a pixel's centre."""


Outlined = tuple[dict[str, Any], dict[str, NDArray[np.float32]]]
"""What `lesion_at` gives."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A case's pictures and, where it has a PET, its volume."""

    case_id: str
    mips: MipPair
    volume: Volume | None
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes held."""
        arrays = [self.mips.coronal, self.mips.sagittal, None if self.volume is None else self.volume.voxels]
        return sum(array.nbytes for array in arrays if array is not None)


def load_scan(case: Case) -> Scan:
    """Read a case and project it.

    Raises:
        ImageReadError, SuvError: it cannot be read as SUV.
    """
    if case.pet is None:
        return Scan(case.case_id, read_mip_pictures(case).mips, None)
    reading = read_case(case)
    mips = project(reading.volume, pixel_mm=PIXEL_MM)
    return Scan(case.case_id, mips, reading.volume, tuple(reading.warnings))


class ScanStore:
    """Scans by case id, read when first asked for; the latest stay in memory. Safe to use from many threads.

    Args:
        cases: case id to case: the only ids that are ever looked up.
        load: reads one.
        budget_bytes: memory for scans; at least one is kept.
    """

    def __init__(
        self, cases: Mapping[str, Case], *, load: Callable[[Case], Scan] = load_scan, budget_bytes: int = SCAN_BYTES
    ) -> None:
        self.cases = cases
        self._load = load
        self._budget_bytes = budget_bytes
        self._lock = Lock()
        self._scans: OrderedDict[str, Scan] = OrderedDict()
        self._loading: dict[str, Future[Scan]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="scan")
        self._mips: OrderedDict[str, MipPair] = OrderedDict()

    def scan(self, case_id: str) -> Scan:
        """The scan, read now where it is not in memory; two who ask at once wait for one reading.

        Raises:
            KeyError: no such case.
            ImageReadError, SuvError: it cannot be read as SUV.
        """
        case = self.cases[case_id]
        with self._lock:
            if case_id in self._scans:
                self._scans.move_to_end(case_id)
                return self._scans[case_id]
            future = self._loading.get(case_id)
            if future is None:
                future = self._loading[case_id] = self._readers.submit(self._read, case)
        return future.result()

    def mips(self, case_id: str) -> MipPair:
        """The pictures alone, which stay in memory longer than the scan."""
        with self._lock:
            held = self._mips.get(case_id)
        return held if held is not None else self.scan(case_id).mips

    def _read(self, case: Case) -> Scan:
        try:
            scan = self._load(case)
            with self._lock:
                self._keep(scan)
            return scan
        finally:
            with self._lock:
                del self._loading[case.case_id]

    def _keep(self, scan: Scan) -> None:
        self._scans[scan.case_id] = scan
        self._mips[scan.case_id] = scan.mips
        while len(self._mips) > KEPT_MIPS:
            self._mips.popitem(last=False)
        while len(self._scans) > 1 and sum(held.size for held in self._scans.values()) > self._budget_bytes:
            self._scans.popitem(last=False)


class Outlines:
    """One-click segmentations by case and point, each made once; the latest stay in memory.

    `begin` starts one without waiting for it: where the mouse rests on a hot spot a click will follow, and its outline
    is then there already.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: OrderedDict[tuple[str, tuple[float, ...]], Future[Outlined]] = OrderedDict()
        self._makers = ThreadPoolExecutor(OUTLINERS, thread_name_prefix="outline")
        self._warm = False

    def warm_up(self, read: Callable[[], Scan]) -> None:
        """Begin to outline anything of a scan, once, so that the first click does not wait for libraries.

        Returns at once. To be called when the first pictures are out: what loads in the background slows what is in
        front.
        """
        with self._lock:
            if self._warm:
                return
            self._warm = True
        self._makers.submit(_outline_anything, read)

    def begin(self, scan: Scan, point_mm: Sequence[float] | NDArray) -> Future[Outlined]:
        """Start `lesion_at` for the point, or find the one that was started before."""
        point = tuple(round(float(value), 2) for value in point_mm)
        key = (scan.case_id, point)
        with self._lock:
            found = self._made.get(key)
            if found is None or (found.done() and found.exception() is not None):
                found = self._made[key] = self._makers.submit(lesion_at, scan, point)
            self._made.move_to_end(key)
            while len(self._made) > KEPT_OUTLINES:
                self._made.popitem(last=False)
        return found

    def get(self, scan: Scan, point_mm: Sequence[float] | NDArray) -> Outlined:
        """What `lesion_at` gives for the point.

        Raises:
            GeometryError: it lies outside the volume, or the scan has none.
        """
        return self.begin(scan, point_mm).result()


def _outline_anything(read: Callable[[], Scan]) -> None:
    scan = read()
    if scan.volume is not None:
        lesion_at(scan, scan.volume.grid.world(np.array(scan.volume.grid.shape) // 2)[0])


def frame_of(mips: MipPair) -> dict[str, Any]:
    """Where the pictures lie: pixel size, origin (None for ready-made ones) and cells along x, y and z."""
    coronal, sagittal = mips.coronal, mips.sagittal
    height = next(values.shape[1] for values in (coronal, sagittal) if values is not None)
    return {
        "pixel_mm": mips.pixel_mm,
        "origin_mm": None if mips.origin_mm is None else mips.origin_mm.tolist(),
        "cells": [
            None if coronal is None else coronal.shape[0],
            None if sagittal is None else sagittal.shape[0],
            height,
        ],
    }


def frame_of_grid(cells: Grid) -> dict[str, Any]:
    """The same for a part of the pictures' cells."""
    return {
        "pixel_mm": float(cells.affine[0, 0]),
        "origin_mm": cells.affine[:3, 3].tolist(),
        "cells": list(cells.shape),
    }


def frame_grid(mips: MipPair) -> Grid:
    """The cells that the pictures are made of."""
    assert mips.coronal is not None
    assert mips.sagittal is not None
    affine = np.diag([mips.pixel_mm] * 3 + [1.0])
    affine[:3, 3] = mips.origin_mm
    return Grid((mips.coronal.shape[0], mips.sagittal.shape[0], mips.coronal.shape[1]), affine)


def point_of_click(scan: Scan, plane: Plane, row: float, column: float) -> NDArray[np.float64]:
    """World point (3,) under a click on a MIP: the depth is that of the maximum along the ray.

    Raises:
        GeometryError: the click lies outside the picture, or the scan has no volume.
    """
    return ray_depth(_volume(scan), scan.mips, plane, (row, column))


def point_with_depth(scan: Scan, point_mm: Sequence[float], plane: Plane, column: float) -> NDArray[np.float64]:
    """The same point, its depth corrected by a click at `column` of the other view, `plane`.

    Raises:
        GeometryError: the corrected point lies outside the volume.
    """
    frame = frame_grid(scan.mips)
    corrected = np.array(point_mm, np.float64)
    cell = frame.shape[plane.axis] - 1 - np.floor(column + 0.5)
    corrected[plane.axis] = frame.affine[plane.axis, 3] + cell * scan.mips.pixel_mm
    return require_inside(scan, corrected)


def require_inside(scan: Scan, point_mm: Sequence[float] | NDArray) -> NDArray[np.float64]:
    """The point as an array (3,).

    Raises:
        GeometryError: it is not finite, or lies outside the volume.
    """
    point = np.asarray(point_mm, np.float64)
    if not np.isfinite(point).all() or not _volume(scan).grid.contains(point)[0]:
        raise GeometryError(
            "PP-POINT-OUTSIDE",
            f"case {scan.case_id}",
            f"a point must lie inside the PET, got {np.round(point, 1).tolist()} mm",
            "Click on the patient",
        )
    return point


def suv_at(scan: Scan, point_mm: Sequence[float] | NDArray) -> float:
    """SUV of the voxel that holds the point."""
    volume = _volume(scan)
    index = np.rint(volume.grid.indices(require_inside(scan, point_mm))[0]).astype(int)
    return float(volume.voxels[tuple(index)])


def window_grid(mips: MipPair, point_mm: Sequence[float] | NDArray, radius_mm: float | None) -> Grid:
    """The pictures' cells within `radius_mm` of a point along each axis; all of them where None."""
    frame = frame_grid(mips)
    if radius_mm is None:
        return frame
    cell = np.rint((np.asarray(point_mm) - frame.affine[:3, 3]) / mips.pixel_mm).astype(int)
    reach = round(radius_mm / mips.pixel_mm)
    low = np.clip(cell - reach, 0, np.array(frame.shape) - 1)
    high = np.clip(cell + reach + 1, low + 1, frame.shape)
    affine = frame.affine.copy()
    affine[:3, 3] = frame.world(low)[0]
    return Grid(tuple(high - low), affine)


def slices_at(scan: Scan, point_mm: Sequence[float] | NDArray, cells: Grid) -> dict[str, NDArray[np.float32]]:
    """Coronal, sagittal and axial slice through the point as pictures, over `cells`."""
    point = require_inside(scan, point_mm)
    return _slice_pictures(_volume(scan), cells, point)


def mask_contours(mask: Mask, mips: MipPair) -> dict[str, Contours]:
    """Outlines of a mask's projection on both MIPs."""
    return {
        plane.value: contours_of(to_picture(values))
        for plane, values in project_mask(mask, pixel_mm=mips.pixel_mm).items()
    }


def slice_contours(mask: Mask, cells: Grid, point_mm: Sequence[float] | NDArray) -> dict[str, Contours]:
    """Outlines of a mask on the three slices through the point, over `cells`."""
    pictures = _slice_pictures(mask, cells, np.asarray(point_mm, np.float64))
    return {name: contours_of(picture) for name, picture in pictures.items()}


def contours_of(picture: NDArray) -> Contours:
    """Closed outlines of a bool picture (H, W)."""
    from skimage import measure

    if not picture.any():
        return []
    lines = measure.find_contours(np.pad(picture, 1).astype(np.float32), 0.5)
    return [np.round(line - 1, 2).tolist() for line in lines]


def lesion_at(
    scan: Scan, point_mm: Sequence[float] | NDArray, *, rule: str | None = None, radius_mm: float = NEAR_MM
) -> Outlined:
    """One-click segmentation at the point: its outlines, figures and flags, and the slices about it.

    Returns:
        `mips` and `slices` (contours by view), `frame` of the slices, `lesion` (SUVmax, MTV, TLG ... or None where
        nothing was found), `flags`, `suv` at the point, `rule`; and the slices (H, W) by name.
    """
    # Their libraries load slowly, and the first MIPs do without.
    from pointpet.localise.point import segment_point
    from pointpet.quantify.suv_statistics import describe_lesions

    volume, point = _volume(scan), require_inside(scan, point_mm)
    found = segment_point(volume, point, rule=rule)
    cells = window_grid(scan.mips, point, radius_mm)
    lesions = describe_lesions(*_about(volume, found.mask), seeds_mm=found.seed_mm[None])
    described = {
        "point": point.tolist(),
        "frame": frame_of_grid(cells),
        "mips": mask_contours(found.mask, scan.mips),
        "slices": slice_contours(found.mask, cells, point),
        "lesion": asdict(lesions[0]) if lesions else None,
        "flags": [flag.value for flag in found.flags],
        "suv": suv_at(scan, point),
        "rule": found.rule,
    }
    return described, slices_at(scan, point, cells)


def _about(volume: Volume, mask: Mask) -> tuple[Volume, Mask]:
    """Both cut to the mask and what a sphere for SUVpeak needs about it: figures are the same, and found sooner."""
    box = bounding_box(mask.voxels)
    if box is None:
        return volume, mask
    margin = np.ceil(PEAK_MARGIN_MM / volume.spacing_mm).astype(int)
    low = np.maximum([part.start for part in box] - margin, 0)
    high = np.minimum([part.stop for part in box] + margin, mask.voxels.shape)
    return crop(volume, low.tolist(), high.tolist()), crop(mask, low.tolist(), high.tolist())


def thumbnail(mips: MipPair) -> bytes:
    """A small coronal (else sagittal) MIP in inverted grey, PNG."""
    from PIL import Image

    picture = mips.picture(mips.planes[0])
    grey = 255 - np.clip(picture / THUMBNAIL_SUV * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(grey)
    width = max(1, round(image.width * THUMBNAIL_HEIGHT / image.height))
    target = io.BytesIO()
    image.resize((width, THUMBNAIL_HEIGHT), Image.Resampling.BOX).save(target, format="PNG")
    return target.getvalue()


def _slice_pictures(image: Volume | Mask, cells: Grid, point: NDArray) -> dict[str, NDArray]:
    from pointpet.image.slices import sample_slice

    across = {Plane.CORONAL.value: 1, Plane.SAGITTAL.value: 0, AXIAL: 2}
    return {name: to_picture(sample_slice(image, cells, axis, float(point[axis]))) for name, axis in across.items()}


def _volume(scan: Scan) -> Volume:
    if scan.volume is None:
        raise GeometryError(
            "PP-CASE-PET", f"case {scan.case_id}", "has ready-made pictures only, no volume", "Mark each view by itself"
        )
    return scan.volume
