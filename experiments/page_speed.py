"""How fast both pages answer, with scans of full size, in headless Chromium: medians over several starts.

    python experiments/page_speed.py --out docs/results/page.md

Needs Chromium and the extra `web`. Times run from the action (start of the program, key, click) until the page shows
the result, drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pages import publish
from provenance import machine

from pointpet.core import Mask, Volume
from pointpet.io.nifti import write_mask, write_volume

SHAPE, SPACING, ORIGIN = (168, 168, 400), (4.07, 4.07, 3.0), (-340.0, -340.0, -600.0)
SPHERE_MM, RADIUS_MM = (-60.0, 20.0, 150.0), 15.0
CASES, FILES = 60, 4

HAND_MS = 150
"""From the moment a hand has moved the mouse to its click; people take 200 ms and more."""

LOOK_MS = 1000
"""From the first pictures to the first click: nobody finds a tumour sooner, and what a click needs loads meanwhile."""

LONGEST_S = 60

PROMISED = {
    "`annotate`: MIPs, from the start of the program": 1.0,
    "`annotate`: MIPs of a case that was not read ahead": 1.0,
    "`annotate`: the next case": 0.2,
    "`annotate`: outline after the first click": 0.3,
    "`annotate`: outline after a later click": 0.3,
    "`view`: MIPs, from the start of the program": None,
    "`view`: outline after the first correcting click": 0.5,
    "`view`: the first correction is saved": None,
}

_CASE_SHOWN = """document.querySelector('#case-name').textContent === 'ID'
    && document.querySelector('#mips').dataset.empty === 'false'"""
OUTLINED = "document.querySelector('.slices').dataset.empty === 'false'"
"""The slices about the point come with the outline."""
RESULT_SHOWN = "document.querySelector('#view')?.dataset.blank === 'false'"
CORRECTED = "import('/assets/view-state.js').then(({ view }) => Boolean(view.corrected))"
SAVED = "document.querySelector('#state').dataset.kind === 'saved'"


def case_shown(case_id: str) -> str:
    """Holds when the annotation page shows a case's MIPs."""
    return _CASE_SHOWN.replace("ID", case_id)


def write_scans(folder: Path) -> Path:
    """Sixty cases over four scans of 168 x 168 x 400 voxels, gzipped, a hot sphere in each; gives the manifest."""
    x, y, z = (ORIGIN[k] + SPACING[k] * np.arange(SHAPE[k]) for k in range(3))
    body = (x[:, None, None] / 200) ** 2 + (y[None, :, None] / 130) ** 2 + 0 * z < 1
    far = (x[:, None, None] - SPHERE_MM[0]) ** 2 + (y[None, :, None] - SPHERE_MM[1]) ** 2 + (z - SPHERE_MM[2]) ** 2
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    for number in range(FILES):
        noise = np.random.default_rng(number).gamma(6.0, 1 / 6, SHAPE)
        voxels = np.where(far <= RADIUS_MM**2, 9.0, np.round(noise * np.where(body, 0.8, 0.02), 2))
        volume = Volume(voxels.astype(np.float32), affine)
        write_volume(folder / f"{number}.nii.gz", volume)
    rows = [f"C{number:02d},{number % FILES}.nii.gz,suv,,," for number in range(CASES)]
    (folder / "cohort.csv").write_text("\n".join(["case_id,pet,pet_units,x_mm,y_mm,z_mm", *rows]) + "\n")
    for number in range(FILES):
        place = folder / "results" / f"C{number:02d}"
        place.mkdir(parents=True)
        write_mask(place / "mask.nii.gz", Mask(far <= RADIUS_MM**2, affine))
        result = {"case_id": place.name, "method": "proposed", "probabilities": {"lung": 0.9}, "lesions": []}
        (place / "result.json").write_text(json.dumps(result))
    (folder / "results" / "summary.csv").write_text("case_id\n")
    return folder / "cohort.csv"


@contextmanager
def running(*arguments: object) -> Iterator[tuple[str, float]]:
    """A `pointpet` that serves a page: its address, and when it was started."""
    begin = time.perf_counter()
    code = "from pointpet.cli.main import run; run()"
    command = [sys.executable, "-c", code, *map(str, arguments), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), begin
        finally:
            process.terminate()


def seconds(page: Any, act: Callable[[], Any], shown: str, begin: float | None = None) -> float:
    """From an action, or from `begin`, until `shown` holds in the page."""
    begin = time.perf_counter() if begin is None else begin
    act()
    while not page.evaluate(shown):
        if time.perf_counter() - begin > LONGEST_S:
            raise SystemExit(f"not shown within {LONGEST_S} s: {shown}")
    return time.perf_counter() - begin


def sphere_on(page: Any, canvas: str) -> tuple[float, float]:
    """Where the sphere is on the coronal canvas, which its picture fills."""
    box = page.locator(canvas).bounding_box()
    low, high = ORIGIN[0] - SPACING[0] / 2, ORIGIN[0] + SPACING[0] * (SHAPE[0] - 0.5)
    bottom, top = ORIGIN[2] - SPACING[2] / 2, ORIGIN[2] + SPACING[2] * (SHAPE[2] - 0.5)
    across, down = (high - SPHERE_MM[0]) / (high - low), (top - SPHERE_MM[2]) / (top - bottom)
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def click(page: Any, place: tuple[float, float]) -> Callable[[], Any]:
    """Move there as a hand does; the click itself is given back."""
    page.mouse.move(*place)
    page.wait_for_timeout(HAND_MS)
    return lambda: page.mouse.click(*place)


def time_annotate(page: Any, cohort: Path, found: dict[str, list[float]]) -> None:
    """One start of the annotation page."""
    names = [name for name in PROMISED if "annotate" in name]
    with running("annotate", cohort) as (address, begin):
        found[names[0]].append(seconds(page, lambda: page.goto(address), case_shown("C00"), begin))
        x, y = sphere_on(page, "#coronal")
        page.wait_for_timeout(LOOK_MS)
        found[names[3]].append(seconds(page, click(page, (x, y)), OUTLINED))
        page.wait_for_timeout(2000)  # the next case is read meanwhile
        found[names[2]].append(seconds(page, lambda: page.keyboard.press("ArrowRight"), case_shown("C01")))
        for shift in (-4, 0, 4):  # another point each time: an outline that was drawn before is remembered
            page.keyboard.press("Delete")
            page.wait_for_timeout(500)
            found[names[4]].append(seconds(page, click(page, (x + shift, y + shift)), OUTLINED))
        far = "document.querySelector('#case-C30 button').click()"
        found[names[1]].append(seconds(page, lambda: page.evaluate(far), case_shown("C30")))


def time_view(page: Any, cohort: Path, found: dict[str, list[float]]) -> None:
    """One start of the viewer."""
    names = [name for name in PROMISED if "view" in name]
    with running("view", cohort.parent / "results", "--images", cohort) as (address, begin):
        found[names[0]].append(seconds(page, lambda: page.goto(address), RESULT_SHOWN, begin))
        page.wait_for_timeout(LOOK_MS)
        page.keyboard.press("c")
        act = click(page, sphere_on(page, "#coronal"))
        clicked = time.perf_counter()
        found[names[1]].append(seconds(page, act, CORRECTED))
        found[names[2]].append(seconds(page, lambda: None, SAVED, clicked))


def measure(starts: int) -> dict[str, list[float]]:
    """Seconds of each promise, over so many starts of both programs."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        original = write_scans(Path(folder)).read_text()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(starts):
            for time_page in (time_annotate, time_view):
                (Path(folder) / "cohort.csv").write_text(original)
                (Path(folder) / "results" / "review.csv").unlink(missing_ok=True)
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                time_page(page, Path(folder) / "cohort.csv", found)
                page.close()
        browser.close()
    return found


def rows(found: dict[str, list[float]]) -> list[tuple[object, ...]]:
    """A row a promise: median, longest, promised."""
    return [
        (name, f"{statistics.median(found[name]):.2f}", f"{max(found[name]):.2f}", promised or "")
        for name, promised in PROMISED.items()
    ]


def main() -> None:
    """Measure, print, write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    found = measure(options.starts)
    heading = (
        "# How fast the pages are\n\nScans of 168 x 168 x 400 voxels, gzipped NIfTI, 60 cases, headless Chromium, "
        f"{options.starts} starts of each program; a click comes {HAND_MS} ms after the mouse, "
        f"the first one {LOOK_MS} ms after the pictures.\n\n"
        "Command: `python experiments/page_speed.py`\n\n"
        f"Machine: {machine()}; load average before: {load:.1f}."
    )
    publish(heading, ("Time until it is shown", "Median, s", "Longest, s", "Promised, s"), rows(found), options.out)


if __name__ == "__main__":
    main()
