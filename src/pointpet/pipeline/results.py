"""A study's or a prediction's cases for a reader: what was predicted, over which image, and what the reader says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointpet.core import (
    ActivationMap,
    Case,
    ConfigError,
    ImageReadError,
    Mask,
    MipPair,
    Plane,
    Unit,
    Volume,
    to_picture,
)
from pointpet.core.cohort import CASE_ID
from pointpet.image.body import body_mask
from pointpet.image.resample import isotropic_grid, resample_volume
from pointpet.image.surface import Surface, mask_surface
from pointpet.io.artefacts import read_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.mip_files import read_mips
from pointpet.io.nifti import read_map, read_mask, read_nifti, write_mask
from pointpet.io.review import ONLY_METHOD, Review, Verdict, read_reviews, save_review
from pointpet.localise.point import segment_point
from pointpet.pipeline.browse import Scan, ScanStore, load_scan, require_inside
from pointpet.pipeline.inputs import read_case_mask
from pointpet.pipeline.result_places import PREDICTIONS, RESULT, no_results
from pointpet.project.rotate import rotating_mips

__all__ = ["ResultFolder", "Review", "Verdict"]

MASK = "mask.nii.gz"
CORRECTED = "corrected.nii.gz"
PICTURE = "mip.png"

ROTATION_PIXEL_MM = 4.0
ROTATION_FRAMES = 36
BODY_CELL_MM = 6.0
"""Cells of the translucent body around the lesions: its outline is a frame, not a finding."""
BODY_SMOOTH_CELLS = 1.2

KEPT = 4
"""Rotating MIPs and sets of surfaces kept in memory."""

Value = TypeVar("Value")


class _Kept:
    """The latest few values by key, made when first asked for."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any, make: Callable[[], Value]) -> Value:
        """The value of `key`; two that ask for a new one at once both make it, neither waits for the other."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._count:
                self._values.popitem(last=False)
        return value


@dataclass(frozen=True, eq=False)
class MapPicture:
    """An activation map over a MIP.

    Args:
        levels: (H, W) uint8, 255 for 1.
        extent: its upper, left, lower and right edge in the MIP's picture pixels, 0 at a pixel's centre.
        class_name: the class whose map it is.
    """

    levels: NDArray[np.uint8]
    extent: tuple[float, float, float, float]
    class_name: str


class ResultFolder:
    """A study's folder, or what `predict` wrote.

    Args:
        folder: holds predictions/METHOD/CASE/, or CASE/.
        images: a manifest, or a folder of scans named after the cases; None: the study's own MIPs are shown, without
            slices.

    Raises:
        OutputError: no results in `folder`.
        ConfigError: `images` holds none of the cases.
        CohortError, Faults: the manifest is wrong.
    """

    def __init__(self, folder: Path, images: Path | None = None) -> None:
        self.folder = folder
        self._cases = _find_results(folder)
        ids = {case_id for cases in self._cases.values() for case_id in cases}
        self._images = _find_images(images, ids) if images is not None else {}
        own = {case_id: Case(case_id) for case_id in sorted(ids) if self._own_mips(case_id) is not None}
        self.scans = ScanStore(own | self._images, load=self._load)
        self._reviews = read_reviews(folder)
        self._lock = Lock()
        self._masks, self._rotations, self._surfaces = _Kept(24), _Kept(KEPT), _Kept(KEPT)

    @property
    def methods(self) -> list[str]:
        """Names of the methods, those of the study in its order."""
        return list(self._cases)

    @property
    def is_study(self) -> bool:
        """True where several methods can be compared."""
        return (self.folder / PREDICTIONS).is_dir()

    def entries(self, method: str) -> list[dict[str, Any]]:
        """One line a case of a method: class, confidence, Dice, flags, volumes, verdict.

        Raises:
            KeyError: no such method.
        """
        return [self._entry(method, case_id) for case_id in self._cases[method]]

    def detail(self, method: str, case_id: str) -> dict[str, Any]:
        """What result.json says, what images there are, and the verdict.

        Raises:
            KeyError: no such method or case.
        """
        folder = self._cases[method][case_id]
        result = read_json(folder / RESULT)
        shown = ("case_id", "label", "predicted", "probabilities", "flags", "measures", "lesions", "warnings")
        return {
            **{name: result.get(name) for name in shown},
            "has_mips": case_id in self.scans.cases,
            "has_volume": case_id in self._images and self._images[case_id].pet is not None,
            "has_truth": case_id in self._images and self._images[case_id].mask is not None,
            "has_mask": (folder / MASK).is_file(),
            "has_picture": (folder / PICTURE).is_file(),
            "review": self._review(method, case_id),
        }

    def picture(self, method: str, case_id: str) -> bytes | None:
        """The drawn MIPs that lie beside the mask, PNG."""
        path = self._cases[method][case_id] / PICTURE
        return path.read_bytes() if path.is_file() else None

    def maps(self, method: str, case_id: str) -> dict[Plane, MapPicture]:
        """The activation maps that were kept, over the case's MIPs.

        Raises:
            KeyError: no such method or case, or the case has no MIPs.
        """
        folder, mips = self._cases[method][case_id], self.scans.mips(case_id)
        paths = {plane: folder / f"cam_{plane}.nii.gz" for plane in mips.planes}
        return {plane: _map_picture(read_map(path), mips) for plane, path in paths.items() if path.is_file()}

    def prediction(self, method: str, case_id: str) -> Mask | None:
        """The predicted mask; None where there is none."""
        path = self._cases[method][case_id] / MASK
        return self._masks.get((method, case_id), lambda: self._read_prediction(path, case_id))

    def truth(self, case_id: str) -> Mask | None:
        """The reference mask; None where there is none, or no image to lay it on."""
        case = self._images.get(case_id)
        if case is None or case.mask is None or case.pet is None:
            return None
        return self._masks.get(("", case_id), lambda: read_case_mask(case, self._volume(case_id)))

    def masks(self, method: str, case_id: str) -> dict[str, Mask]:
        """`prediction` and `truth`, those that exist."""
        found = {"prediction": self.prediction(method, case_id), "truth": self.truth(case_id)}
        return {name: mask for name, mask in found.items() if mask is not None}

    def rotation(self, case_id: str) -> tuple[NDArray, dict[str, Any]]:
        """The rotating MIP (frames, H, W) and its pixel size.

        Raises:
            ImageReadError: there is no volume.
        """

        def make() -> NDArray:
            return rotating_mips(self._volume(case_id), frames=ROTATION_FRAMES, pixel_mm=ROTATION_PIXEL_MM)[0]

        return self._rotations.get(case_id, make), {"pixel_mm": ROTATION_PIXEL_MM, "frames": ROTATION_FRAMES}

    def rotating_masks(self, method: str, case_id: str) -> dict[str, NDArray]:
        """The masks as the rotating MIP shows them, (frames, H, W) uint8."""

        def make() -> dict[str, NDArray]:
            turned = {}
            for name, mask in self.masks(method, case_id).items():
                solid = Volume(mask.voxels.astype(np.float32), mask.affine)
                turned[name] = rotating_mips(solid, frames=ROTATION_FRAMES, pixel_mm=ROTATION_PIXEL_MM)[0] > 0
            return {name: pictures.astype(np.uint8) for name, pictures in turned.items()}

        return self._rotations.get((method, case_id), make)

    def surfaces(self, method: str, case_id: str) -> dict[str, NDArray]:
        """Triangles of the masks, and of the body where there is a volume.

        Returns:
            For each of `prediction`, `truth` and `body` that exists: NAME_corners (N, 3) float32 world mm,
            NAME_normals (N, 3) float32, NAME_triangles (M, 3) uint32.
        """

        def make() -> dict[str, NDArray]:
            found = {name: mask_surface(mask) for name, mask in self.masks(method, case_id).items()}
            if case_id in self._images and self._images[case_id].pet is not None:
                found["body"] = _body_surface(self._volume(case_id))
            arrays: dict[str, NDArray] = {}
            for name, surface in found.items():
                arrays |= {f"{name}_corners": surface.corners_mm, f"{name}_normals": surface.normals}
                arrays[f"{name}_triangles"] = surface.triangles.astype(np.uint32)
            return arrays

        return self._surfaces.get((method, case_id), make)

    def save(self, method: str, case_id: str, review: Review) -> dict[str, Any]:
        """Write a verdict into review.csv; with a corrected point, the mask grown from it into corrected.nii.gz.

        Raises:
            KeyError: no such method or case.
            GeometryError: the point lies outside the volume.
            CohortError, OutputError: it cannot be saved.
        """
        folder = self._cases[method][case_id]
        corrected = folder / CORRECTED
        with self._lock:
            if review.point_mm is not None:
                volume = self._volume(case_id)
                point = require_inside(self.scans.scan(case_id), review.point_mm)
                write_mask(corrected, segment_point(volume, point).mask, volume.stored)
            save_review(self.folder, method, case_id, review)
            if review.point_mm is None:
                corrected.unlink(missing_ok=True)
            self._reviews[method, case_id] = review
        return self._review(method, case_id)

    def _review(self, method: str, case_id: str) -> dict[str, Any]:
        review = self._reviews.get((method, case_id), Review())
        point = None if review.point_mm is None else list(review.point_mm)
        return {"verdict": review.verdict.value, "point": point, "comment": review.comment}

    def _entry(self, method: str, case_id: str) -> dict[str, Any]:
        result = read_json(self._cases[method][case_id] / RESULT)
        probabilities, lesions = result.get("probabilities") or {}, result.get("lesions") or []
        confidence = result.get("confidence")
        return {
            "id": case_id,
            "label": result.get("label"),
            "predicted": result.get("predicted"),
            "confidence": max(probabilities.values(), default=None) if confidence is None else confidence,
            "dice": (result.get("measures") or {}).get("dice"),
            "flags": result.get("flags") or [],
            "lesions": len(lesions),
            "mtv_ml": sum(lesion["mtv_ml"] for lesion in lesions),
            "has_mips": case_id in self.scans.cases,
            "verdict": self._review(method, case_id)["verdict"],
        }

    def _own_mips(self, case_id: str) -> Path | None:
        """The study's own cache of a case's MIPs."""
        path = self.folder / ".prepared" / "cases" / f"{case_id}.npz"
        return path if path.is_file() else None

    def _load(self, case: Case) -> Scan:
        if case.case_id in self._images:
            return load_scan(case)
        path = self._own_mips(case.case_id)
        assert path is not None
        return Scan(case.case_id, read_mips(path), None)

    def _volume(self, case_id: str) -> Volume:
        volume = self.scans.scan(case_id).volume if case_id in self._images else None
        if volume is None:
            raise ImageReadError(
                "PP-VIEW-IMAGES", f"case {case_id}", "its PET was not given", "Start the viewer with --images"
            )
        return volume

    def _read_prediction(self, path: Path, case_id: str) -> Mask | None:
        if not path.is_file():
            return None
        if case_id in self._images and self._images[case_id].pet is not None:
            return read_mask(path, self._volume(case_id))
        try:
            alone = read_nifti(path, Unit.SUVBW)
        except ImageReadError as error:
            if error.code.endswith("EMPTY"):
                return None
            raise
        return Mask(alone.voxels > 0, alone.affine)


def _find_results(folder: Path) -> dict[str, dict[str, Path]]:
    """Method to case id to folder, from what lies there: no id is ever joined into a path."""
    predictions = folder / PREDICTIONS
    if predictions.is_dir():
        found = {method.name: _case_folders(method) for method in sorted(predictions.iterdir()) if method.is_dir()}
        found = _in_study_order(folder, {name: cases for name, cases in found.items() if cases})
    else:
        cases = _case_folders(folder)
        names = sorted({read_json(path / RESULT).get("method", "") for path in list(cases.values())[:1]})
        found = {name or ONLY_METHOD: cases for name in names}
    if not found:
        raise no_results(folder)
    return found


def _case_folders(folder: Path) -> dict[str, Path]:
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if CASE_ID.fullmatch(path.name) and (path / RESULT).is_file()
    }


def _in_study_order(folder: Path, found: dict[str, dict[str, Path]]) -> dict[str, dict[str, Path]]:
    """Methods in the order of study.json, where the study is complete."""
    record = folder / "study.json"
    wanted = [method["name"] for method in read_json(record)["methods"]] if record.is_file() else []
    order = [name for name in wanted if name in found]
    return {name: found[name] for name in [*order, *[name for name in found if name not in order]]}


def _find_images(images: Path, ids: set[str]) -> dict[str, Case]:
    """Case id to case, of those that have results."""
    manifest = images / "cohort.csv" if images.is_dir() else images
    if manifest.is_file():
        cases: Mapping[str, Case] = {case.case_id: case for case in read_cohort(manifest, require_files=False)}
    else:
        named = {path.name.removesuffix(".gz").removesuffix(".nii"): path for path in sorted(images.iterdir())}
        cases = {name: Case(name, pet=path) for name, path in named.items() if CASE_ID.fullmatch(name)}
    found = {case_id: case for case_id, case in cases.items() if case_id in ids}
    if not found:
        raise ConfigError(
            "PP-VIEW-IMAGES",
            "--images",
            f"holds none of the {len(ids)} cases",
            "Give the cohort's manifest, or a folder of scans named after the cases",
        )
    return found


def _body_surface(volume: Volume) -> Surface:
    coarse = resample_volume(volume, isotropic_grid(volume.grid, BODY_CELL_MM))
    return mask_surface(body_mask(coarse), smooth_voxels=BODY_SMOOTH_CELLS)


def _map_picture(activation: ActivationMap, mips: MipPair) -> MapPicture:
    levels = np.rint(to_picture(activation.values) * 255).astype(np.uint8)
    rows, columns = levels.shape
    if activation.origin_mm is None or mips.origin_mm is None:  # ready-made pictures: map and picture are of one size
        extent = (-0.5, -0.5, rows - 0.5, columns - 0.5)
    else:
        # The picture's first row and column lie at the world's upper end. (U, U, Z): either U serves its plane.
        corner = activation.origin_mm + (np.array(activation.values.shape)[[0, 0, 1]] - 0.5) * activation.pixel_mm
        far = activation.origin_mm - activation.pixel_mm / 2
        (top, left), (bottom, right) = mips.pixels(activation.plane, np.stack([corner, far]))
        extent = (float(top), float(left), float(bottom), float(right))
    return MapPicture(levels, extent, activation.class_name)
