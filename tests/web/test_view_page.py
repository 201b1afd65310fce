"""The viewer in a browser."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointpet.pipeline.results import ResultFolder
from pointpet.web.view import view_application

pytestmark = pytest.mark.browser

SECOND, HIGH, CELLS, PIXEL = (-32.0, -22.0, 172.0), (95.0, 87.0, 337.0), (96, 88, 120), 2.0


def reviews(study: Path) -> dict[str, dict[str, str]]:
    path = study / "review.csv"
    return {row["case_id"]: row for row in csv.DictReader(path.read_text().splitlines())} if path.is_file() else {}


def colours(page: Any, canvas: str) -> int:
    """Number of pixels of a canvas that are not grey."""
    return page.evaluate(
        """(id) => {
            const canvas = document.querySelector(id);
            const copy = document.createElement('canvas');
            [copy.width, copy.height] = [canvas.width, canvas.height];
            const context = copy.getContext('2d');
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, copy.width, copy.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
                const [r, g, b] = data.slice(i, i + 3);
                if (Math.max(r, g, b) - Math.min(r, g, b) > 60) count += 1;
            }
            return count;
        }""",
        canvas,
    )


@pytest.fixture
def opened(serving: Callable[[Any], str], page: Any, study: Path, cohort: Path) -> Any:
    page.goto(serving(view_application(ResultFolder(study, cohort))))
    page.locator("#lesions button").first.wait_for()
    page.locator('[data-layer="truth"]:not([disabled])').wait_for()
    return page


def test_it_shows_the_case_with_its_overlays(opened: Any):
    assert opened.locator("#case-name").inner_text() == "P1"
    assert "0.90" in opened.locator("#measures").inner_text()
    assert "8.00" in opened.locator("#lesions").inner_text()
    assert colours(opened, "#coronal") > 300
    for key in "mpg":
        opened.keyboard.press(key)
    assert opened.locator('[data-layer="map"]').get_attribute("aria-pressed") == "false"
    assert colours(opened, "#coronal") < 1500  # the cross hair is left


def test_verdicts_go_to_the_file_and_on_to_the_next_case(opened: Any, study: Path, until: Any):
    opened.keyboard.press("a")
    opened.locator("#case-name", has_text="P2").wait_for()
    until(lambda: reviews(study)["P1"]["verdict"] == "accepted")
    opened.locator("#flags", has_text="Very large").wait_for()
    opened.keyboard.press("r")
    opened.locator("#case-name", has_text="P3").wait_for()
    until(lambda: reviews(study)["P2"]["verdict"] == "rejected")
    assert opened.locator("#progress-text").inner_text() == "2 of 3 reviewed"
    opened.keyboard.press("u")
    opened.locator("#case-name", has_text="P2").wait_for()
    until(lambda: reviews(study)["P2"]["verdict"] == "")


def test_a_correction_is_a_click(opened: Any, study: Path, until: Any):
    opened.keyboard.press("c")
    box = opened.locator("#coronal").bounding_box()
    across, down = ((HIGH[axis] - SECOND[axis]) / PIXEL + 0.5 for axis in (0, 2))
    place = {"x": across / CELLS[0] * box["width"], "y": down / CELLS[2] * box["height"]}
    opened.locator("#coronal").click(position=place)
    row = until(lambda: reviews(study).get("P1"))
    assert row["verdict"] == "corrected"
    assert abs(float(row["x_mm"]) - SECOND[0]) <= PIXEL
    until((study / "predictions" / "proposed" / "P1" / "corrected.nii.gz").is_file)


def test_slices_rotation_and_surfaces_are_drawn(opened: Any, until: Any):
    for key, canvas in (("2", "#slice-axial"), ("3", "#turning")):
        opened.keyboard.press(key)
        opened.locator(canvas).wait_for()
        until(lambda canvas=canvas: colours(opened, canvas) > 20)
    first = opened.locator("#angle").input_value()
    until(lambda: opened.locator("#angle").input_value() != first)  # it turns
    opened.keyboard.press("4")
    until(lambda: "3D" in opened.locator('[role=tab][aria-selected="true"]').inner_text())
    shot = until(lambda: len(set(opened.locator("#surface").screenshot()[200:])) > 50)
    assert shot


def test_the_list_is_sorted_and_the_method_changed(opened: Any):
    opened.locator("#sort").select_option("dice")
    names = opened.locator("#cases .name").all_text_contents()
    assert names == ["P2", "P3", "P1"]
    opened.locator("#method").select_option("suv40")
    opened.locator("#measures", has_text="0.50").wait_for()
    opened.get_by_role("button", name="Flagged").click()
    assert opened.locator("#cases .name").all_text_contents() == ["P2", "P1"]  # and the one on the screen


def test_without_images_the_drawn_picture_is_shown(serving: Any, page: Any, prediction: Path):
    page.goto(serving(view_application(ResultFolder(prediction))))
    page.locator("#drawn:not([hidden])").wait_for(state="attached")
    assert page.locator("#measures-section").is_hidden()
    assert page.locator("#upper-range").is_hidden()  # nothing that does nothing
    assert page.locator("#invert").is_hidden()
    page.keyboard.press("c")
    page.locator("#notice", has_text="A correction needs the scan").wait_for()


def test_the_command_serves_it(start: Any, page: Any, study: Path, cohort: Path):
    program = start("view", study, "--images", cohort)
    page.goto(program.url)
    page.locator("#case-name", has_text="P1").wait_for()
    assert program.stop() == 0


def lesion_pixels(page: Any) -> int:
    """Pixels of the 3D view in the prediction's magenta."""
    picture = Image.open(io.BytesIO(page.locator("#surface").screenshot())).convert("RGB")
    red, green, blue = np.moveaxis(np.asarray(picture, int), 2, 0)
    return int(((red > green + 40) & (blue > green + 20)).sum())


def test_zooming_in_3d_leads_to_the_lesion_and_back(opened: Any, until: Any):
    """It lies far from the body's middle: a zoom about that would lose it."""
    opened.keyboard.press("4")
    before = until(lambda: lesion_pixels(opened))
    opened.locator("#surface").hover()
    opened.mouse.wheel(0, -700)
    until(lambda: lesion_pixels(opened) > 8 * before)
    opened.keyboard.press("0")
    until(lambda: lesion_pixels(opened) <= 1.2 * before)
    opened.locator("#surface").focus()
    for _ in range(6):
        opened.keyboard.press("+")
    until(lambda: lesion_pixels(opened) > 8 * before)


def test_the_map_can_be_switched_where_it_is_drawn(opened: Any):
    button = opened.locator('[data-layer="map"]')
    for key, is_off in (("3", True), ("4", True), ("2", True), ("1", False)):
        opened.keyboard.press(key)
        assert button.is_disabled() == is_off
    assert button.get_attribute("aria-pressed") == "true"
