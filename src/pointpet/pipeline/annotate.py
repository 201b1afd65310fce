"""One person's clicks on one cohort: every change is on the disk before it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np

from pointpet.core import Case, CohortError, GeometryError, Plane, PointpetError
from pointpet.io.annotations import Annotation, own_manifest, read_annotations, save_annotation
from pointpet.io.cohort_csv import read_cohort
from pointpet.pipeline.browse import Outlines, Scan, ScanStore, point_of_click, point_with_depth, require_inside

__all__ = ["Annotation", "AnnotationSession", "CaseState", "Click", "own_manifest"]


@dataclass(frozen=True)
class Click:
    """Where a person clicked.

    Args:
        plane: the view. row, column: fractional picture pixels, 0 at a pixel's centre.
        lesion: number of the lesion from 0; as many as there are adds one.
        keeps_point: the click corrects the depth of the lesion's point, whose other two coordinates stay.
    """

    plane: Plane
    row: float
    column: float
    lesion: int = 0
    keeps_point: bool = False


@dataclass(frozen=True)
class CaseState:
    """A case and what is said of it. `revision` counts the changes, so that two windows do not undo each other."""

    case: Case
    annotation: Annotation
    revision: int = 0

    @property
    def has_point(self) -> bool:
        """True where at least one lesion is marked."""
        return self.annotation.has_point

    @property
    def is_left(self) -> bool:
        """True where nothing was said of it yet: no point, and not accepted without one."""
        return not self.has_point and not self.annotation.done


class StaleError(PointpetError):
    """A change to a state that another window has changed meanwhile."""


class AnnotationSession:
    """The cohort under annotation. `scans` reads its images.

    Raises:
        CohortError, Faults: the manifest is wrong.
    """

    def __init__(self, cohort_path: Path) -> None:
        self.cohort_path = cohort_path
        cohort = read_cohort(cohort_path, require_files=False)
        notes = read_annotations(cohort_path)
        self._states = {case.case_id: CaseState(case, _annotation(case, notes)) for case in cohort}
        self._lock = Lock()
        self.scans = ScanStore({case.case_id: case for case in cohort})
        self.outlines = Outlines()

    def states(self) -> list[CaseState]:
        """Every case in the manifest's order."""
        return list(self._states.values())

    def state(self, case_id: str) -> CaseState:
        """One case.

        Raises:
            KeyError: no such case.
        """
        return self._states[case_id]

    @property
    def start(self) -> str:
        """The first case without a point; the first of all where none is left."""
        return next((state.case.case_id for state in self.states() if state.is_left), self.states()[0].case.case_id)

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({state.annotation.label for state in self.states()} - {""})

    def warm_up(self) -> None:
        """Begin to read the first case, so that the page does not wait for the scan."""

        def read() -> None:
            # The page asks again and is told what is wrong.
            with suppress(PointpetError):
                self.scans.scan(self.start)

        Thread(target=read, daemon=True).start()

    def save(self, case_id: str, annotation: Annotation, revision: int) -> CaseState:
        """Replace what is said of a case.

        Raises:
            KeyError: no such case.
            StaleError: `revision` is not the present one.
            CohortError, GeometryError, OutputError: it cannot be saved.
        """
        self._check(case_id, annotation)
        with self._lock:
            state = self._current(case_id, revision)
            return self._write(state, annotation)

    def click(self, case_id: str, click: Click, revision: int) -> CaseState:
        """Set a lesion's point by a click on a MIP.

        Raises:
            KeyError: no such case.
            StaleError: `revision` is not the present one.
            GeometryError: the click or the lesion's number is out of range.
            CohortError, OutputError: it cannot be saved.
        """
        scan = self.scans.scan(case_id)
        with self._lock:
            state = self._current(case_id, revision)
            place = _with_pixel if scan.volume is None else _with_point
            return self._write(state, replace(place(scan, state.annotation, click), done=False))

    def foresee(self, case_id: str, plane: Plane, row: float, column: float) -> None:
        """Begin the outline that a click at this place of a MIP would draw; nothing is saved.

        Raises:
            KeyError: no such case.
            GeometryError: the place is out of range.
        """
        scan = self.scans.scan(case_id)
        if scan.volume is not None:
            self.outlines.begin(scan, point_of_click(scan, plane, row, column))

    def _current(self, case_id: str, revision: int) -> CaseState:
        state = self._states[case_id]
        if state.revision != revision:
            raise StaleError(
                "PP-ANNOTATE-STALE", f"case {case_id}", "was changed in another window", "Look at it again"
            )
        return state

    def _write(self, state: CaseState, annotation: Annotation) -> CaseState:
        if annotation == state.annotation:
            return state
        save_annotation(self.cohort_path, state.case.case_id, annotation, state.annotation)
        changed = CaseState(state.case, annotation, state.revision + 1)
        self._states[state.case.case_id] = changed
        return changed

    def _check(self, case_id: str, annotation: Annotation) -> None:
        """Points must be of the kind that the case's images have, and inside them where the scan is in memory."""
        case = self._states[case_id].case
        if annotation.points_mm and case.pet is None:
            raise CohortError("PP-ANNOTATE-KIND", f"case {case_id}", "has ready-made pictures, no world", "Give pixels")
        if annotation.pixel_points and not set(annotation.pixel_points) <= set(case.mips):
            raise CohortError("PP-ANNOTATE-KIND", f"case {case_id}", "has no such ready-made picture", "Give mm")
        if annotation.points_mm and annotation.points_mm != self._states[case_id].annotation.points_mm:
            scan = self.scans.scan(case_id)
            for point in annotation.points_mm:
                require_inside(scan, point)


def _annotation(case: Case, notes: Mapping[str, tuple[bool, float | None, str]]) -> Annotation:
    done, seconds, comment = notes.get(case.case_id, (False, None, ""))
    return Annotation(
        label=case.label or "",
        points_mm=tuple(tuple(float(v) for v in point) for point in case.points_mm),
        pixel_points={
            plane: tuple(tuple(float(v) for v in point) for point in points)
            for plane, points in case.pixel_points.items()
        },
        done=done,
        seconds=seconds,
        comment=comment,
    )


def _with_point(scan: Scan, annotation: Annotation, click: Click) -> Annotation:
    points = list(annotation.points_mm)
    _check_number(scan, click, len(points))
    if click.keeps_point and click.lesion < len(points):
        found = point_with_depth(scan, points[click.lesion], click.plane, click.column)
    else:
        found = point_of_click(scan, click.plane, click.row, click.column)
    points[click.lesion : click.lesion + 1] = [tuple(round(float(value), 2) for value in found)]
    return replace(annotation, points_mm=tuple(points))


def _with_pixel(scan: Scan, annotation: Annotation, click: Click) -> Annotation:
    """On ready-made pictures each view is marked by itself, to the pixel."""
    picture = scan.mips.picture(click.plane)
    pixel = tuple(int(np.floor(place + 0.5)) for place in (click.row, click.column))
    if not all(0 <= place < count for place, count in zip(pixel, picture.shape, strict=True)):
        raise GeometryError(
            "PP-MIP-POINT",
            f"case {scan.case_id}",
            f"a click must lie in the picture of {picture.shape[0]} rows and {picture.shape[1]} columns, got {pixel}",
            "Click inside the picture",
        )
    points = list(annotation.pixel_points.get(click.plane, ()))
    _check_number(scan, click, len(points))
    points[click.lesion : click.lesion + 1] = [tuple(float(place) for place in pixel)]
    return replace(annotation, pixel_points={**annotation.pixel_points, click.plane: tuple(points)})


def _check_number(scan: Scan, click: Click, count: int) -> None:
    if not 0 <= click.lesion <= count:
        raise GeometryError(
            "PP-ANNOTATE-LESION",
            f"case {scan.case_id}",
            f"the next lesion in this view is number {count + 1}, got {click.lesion + 1}",
            "Mark the earlier ones first",
        )


def describe(state: CaseState) -> dict[str, Any]:
    """A case as the page knows it; no path and nothing of the header."""
    annotation = state.annotation
    return {
        "id": state.case.case_id,
        "label": annotation.label,
        "points": [list(point) for point in annotation.points_mm],
        "pixels": {plane.value: [list(p) for p in points] for plane, points in annotation.pixel_points.items()},
        "done": annotation.done,
        "comment": annotation.comment,
        "seconds": annotation.seconds,
        "has_volume": state.case.pet is not None,
        "revision": state.revision,
    }
