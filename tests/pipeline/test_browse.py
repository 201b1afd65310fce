"""Scans kept in memory, and what a page asks of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from pointpet.core import Case, GeometryError, ImageReadError, MipPair, Plane, Volume
from pointpet.pipeline.browse import (
    Scan,
    ScanStore,
    contours_of,
    frame_grid,
    lesion_at,
    point_of_click,
    point_with_depth,
    suv_at,
    window_grid,
)
from pointpet.project import project

CASES = {name: Case(name, pet=Path(f"{name}.nii")) for name in "ABC"}


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A ball of SUV 9 and radius 12 mm at (20, -8, 60) in SUV 1, voxels of 4 mm."""
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = [-78, -78, 0]
    index = np.indices((40, 40, 30)).reshape(3, -1).T
    near = np.linalg.norm(index * 4.0 + affine[:3, 3] - [20, -8, 60], axis=1) <= 12
    volume = Volume(np.where(near, 9.0, 1.0).reshape(40, 40, 30).astype(np.float32), affine)
    return Scan("A", project(volume, pixel_mm=2.0), volume)


def _scan(case: Case) -> Scan:
    values = np.ones((10, 10), np.float32)
    return Scan(case.case_id, MipPair(values, values, 1.0), None)


def test_two_who_ask_at_once_wait_for_one_reading():
    started, go, read = Event(), Event(), []

    def load(case: Case) -> Scan:
        read.append(case.case_id)
        started.set()
        go.wait(10)
        return _scan(case)

    store = ScanStore(CASES, load=load)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.scan, "A")
        assert started.wait(10)
        second = pool.submit(store.scan, "A")
        go.set()
        assert first.result(10) is second.result(10)
    assert read == ["A"]


def test_the_latest_stay_within_the_budget_and_one_always_does():
    read: list[str] = []

    def load(case: Case) -> Scan:
        read.append(case.case_id)
        return _scan(case)

    store = ScanStore(CASES, load=load, budget_bytes=2 * 800)
    for name in ("A", "B", "A", "C", "A", "B"):
        store.scan(name)
    assert read == ["A", "B", "C", "B"]  # C pushed out B, which was asked for less lately than A
    tiny = ScanStore(CASES, load=load, budget_bytes=1)
    assert tiny.scan("A") is tiny.scan("A")


def test_pictures_stay_when_the_scan_has_gone():
    read: list[str] = []

    def load(case: Case) -> Scan:
        read.append(case.case_id)
        return _scan(case)

    store = ScanStore(CASES, load=load, budget_bytes=1)
    store.scan("A")
    store.scan("B")
    store.mips("A")
    assert read == ["A", "B"]


def test_a_scan_that_could_not_be_read_is_read_again():
    answers = iter([ImageReadError("X", "A", "is broken", "Mend it"), None])

    def load(case: Case) -> Scan:
        error = next(answers)
        if error is not None:
            raise error
        return _scan(case)

    store = ScanStore(CASES, load=load)
    with pytest.raises(ImageReadError, match="is broken"):
        store.scan("A")
    assert store.scan("A").case_id == "A"


def test_an_unknown_case_is_no_path():
    with pytest.raises(KeyError):
        ScanStore(CASES, load=_scan).scan("../A")


def test_a_click_finds_the_ball_and_its_depth_is_corrected(scan: Scan):
    ((row, column),) = scan.mips.pixels(Plane.CORONAL, np.array([20.0, -8, 60]))
    found = point_of_click(scan, Plane.CORONAL, row, column)
    assert abs(found[0] - 20) <= 1
    assert abs(found[1] + 8) <= 12
    assert suv_at(scan, found) == 9.0
    ((_, other),) = scan.mips.pixels(Plane.SAGITTAL, np.array([0.0, 30, 60]))
    corrected = point_with_depth(scan, tuple(found), Plane.SAGITTAL, other)
    assert corrected.tolist() == [found[0], pytest.approx(30, abs=1), found[2]]


def test_the_lesions_figures_are_those_of_the_ball(scan: Scan):
    described, slices = lesion_at(scan, (20.0, -8.0, 60.0), rule="share", radius_mm=40)
    assert described["lesion"]["suv_max"] == 9.0
    assert described["lesion"]["mtv_ml"] == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.1)
    assert described["suv"] == 9.0
    assert slices["axial"].shape == (41, 41)
    assert slices["axial"][20, 20] == pytest.approx(9.0)


@pytest.mark.parametrize("point", [(0.0, 0.0, 500.0), (float("nan"), 0.0, 0.0)])
def test_a_point_outside_is_refused(scan: Scan, point: tuple[float, float, float]):
    with pytest.raises(GeometryError, match="case A: a point must lie inside the PET"):
        suv_at(scan, point)


def test_ready_made_pictures_have_no_depth():
    with pytest.raises(GeometryError, match="case A: has ready-made pictures only, no volume"):
        point_of_click(_scan(CASES["A"]), Plane.CORONAL, 1, 1)


def test_a_window_ends_at_the_pictures_border(scan: Scan):
    whole, part = frame_grid(scan.mips), window_grid(scan.mips, (79.0, -79.0, 61.0), 20)
    assert part.shape == (11, 11, 21)
    assert whole.contains(part.world(np.array([[0, 0, 0], [10, 10, 20]]))).all()
    assert window_grid(scan.mips, (0, 0, 0), None).shape == whole.shape


def test_outlines_are_closed_and_lie_on_the_border():
    picture = np.zeros((6, 7), bool)
    picture[2:4, 0:3] = True
    (line,) = contours_of(picture)
    assert line[0] == line[-1]
    low, high = np.min(line, axis=0), np.max(line, axis=0)
    assert (low.tolist(), high.tolist()) == ([1.5, -0.5], [3.5, 2.5])
    assert contours_of(np.zeros((3, 3), bool)) == []
