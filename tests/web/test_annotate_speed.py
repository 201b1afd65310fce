"""The promises of speed, with scans of full size: a case in a second, the next at once, an outline under the click."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointpet.core import Volume
from pointpet.io.nifti import write_volume

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

SHAPE, SPACING, ORIGIN = (168, 168, 400), (4.07, 4.07, 3.0), (-340.0, -340.0, -600.0)
CASES = 60
FILES = 4
SPHERE = (-60.0, 20.0, 150.0)

OPEN_S, NEXT_S, OUTLINE_S, CASE_S = 1.0, 0.2, 0.3, 0.5
"""What is promised on two idle cores."""

HAND_MS = 150
"""From the moment a hand has moved the mouse to its click; people take 200 ms and more."""


@pytest.fixture(scope="module")
def big_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty cases over four scans of 168 x 168 x 400 voxels, gzipped; none has a point."""
    folder = tmp_path_factory.mktemp("big")
    x, y, z = (ORIGIN[k] + SPACING[k] * np.arange(SHAPE[k]) for k in range(3))
    body = (x[:, None, None] / 200) ** 2 + (y[None, :, None] / 130) ** 2 + 0 * z[None, None, :] < 1
    far = (x[:, None, None] - SPHERE[0]) ** 2 + (y[None, :, None] - SPHERE[1]) ** 2 + (z - SPHERE[2]) ** 2
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    for number in range(FILES):
        noise = np.random.default_rng(number).gamma(6.0, 1 / 6, SHAPE).astype(np.float32)
        voxels = np.round(noise * np.where(body, 0.8, 0.02), 2)
        voxels[far <= 15**2] = 9.0
        write_volume(folder / f"{number}.nii.gz", Volume(voxels.astype(np.float32), affine))
    rows = [f"C{number:02d},{number % FILES}.nii.gz,suv,,," for number in range(CASES)]
    path = folder / "cohort.csv"
    path.write_text("\n".join(["case_id,pet,pet_units,x_mm,y_mm,z_mm", *rows]) + "\n")
    return path


def seconds(page: Any, press: Callable[[], Any], shown: str) -> float:
    """Time from an action until `shown` holds in the page."""
    before = time.perf_counter()
    press()
    while not page.evaluate(shown):
        assert time.perf_counter() - before < 30, shown
    return time.perf_counter() - before


def shows(case_id: str) -> str:
    return f"""document.querySelector('#case-name').textContent === '{case_id}'
        && document.querySelector('#mips').dataset.empty === 'false'"""


OUTLINED = "document.querySelector('.slices').dataset.empty === 'false'"


def place_of_sphere(page: Any) -> dict[str, float]:
    """Where the sphere is on the coronal canvas, which its picture fills."""
    box = page.locator("#coronal").bounding_box()
    low, high = ORIGIN[0] - SPACING[0] / 2, ORIGIN[0] + SPACING[0] * (SHAPE[0] - 0.5)
    bottom, top = ORIGIN[2] - SPACING[2] / 2, ORIGIN[2] + SPACING[2] * (SHAPE[2] - 0.5)
    x, y = (high - SPHERE[0]) / (high - low) * box["width"], (top - SPHERE[2]) / (top - bottom) * box["height"]
    return {"x": box["x"] + x, "y": box["y"] + y}


def test_a_case_opens_in_a_second_the_next_at_once_and_the_outline_follows_the_click(
    start: Any, page: Any, big_cohort: Path
):
    program = start("annotate", big_cohort)
    first = seconds(page, lambda: page.goto(program.url), shows("C00"))
    spot = place_of_sphere(page)
    page.wait_for_timeout(3000)  # the next case is read meanwhile
    following = seconds(page, lambda: page.keyboard.press("ArrowRight"), shows("C01"))
    outlines = []
    for shift in (-4, 0, 4):  # another point each time: an outline that was drawn before is remembered
        page.keyboard.press("Delete")
        page.wait_for_timeout(500)
        place = (spot["x"] + shift, spot["y"] + shift)
        page.mouse.move(*place)
        page.wait_for_timeout(HAND_MS)
        outlines.append(seconds(page, lambda place=place: page.mouse.click(*place), OUTLINED))
    far = seconds(page, lambda: page.evaluate("document.querySelector('#case-C30 button').click()"), shows("C30"))
    print(f"first {first:.2f} s, unread {far:.2f} s, next {following:.2f} s, outline {np.median(outlines):.2f} s")
    assert first < 2 * OPEN_S  # with the start of the program
    assert far < OPEN_S
    assert following < NEXT_S
    assert np.median(outlines) < OUTLINE_S


def test_sixty_cases_are_clicked_through_and_none_is_lost(start: Any, page: Any, big_cohort: Path):
    program = start("annotate", big_cohort)
    page.goto(program.url)
    done = {row["case_id"] for row in csv.DictReader(big_cohort.read_text().splitlines()) if row["x_mm"]}
    order = [f"C{number:02d}" for number in range(CASES) if f"C{number:02d}" not in done]
    seconds(page, lambda: None, shows(order[0]))
    spot = place_of_sphere(page)
    begin = time.perf_counter()
    for case_id, following in zip(order, [*order[1:], ""], strict=True):
        seconds(page, lambda: None, shows(case_id))
        page.mouse.click(spot["x"], spot["y"])
        page.keyboard.press("Enter")
        if following:
            seconds(page, lambda: None, shows(following))
    page.locator("#case-hint", has_text=f"All {CASES} cases have an answer").wait_for()
    each = (time.perf_counter() - begin) / len(order)
    page.locator('#state[data-kind="saved"]').wait_for()
    print(f"{each:.2f} s a case")
    rows = list(csv.DictReader(big_cohort.read_text().splitlines()))
    places = np.array([[float(row[name]) for name in ("x_mm", "y_mm", "z_mm")] for row in rows])
    assert places.shape == (CASES, 3)
    assert np.linalg.norm(places - SPHERE, axis=1).max() < 20
    assert each < CASE_S
