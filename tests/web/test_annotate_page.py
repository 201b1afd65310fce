"""The annotation page in a browser, from the click to the file on the disk."""

from __future__ import annotations

import csv
import http.client
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from pointpet.pipeline.annotate import AnnotationSession
from pointpet.web.annotate import annotate_application

pytestmark = pytest.mark.browser

FIRST, SECOND = (40.0, 10.0, 240.0), (-32.0, -22.0, 172.0)
RADIUS_MM = 11.0
HIGH, CELLS, PIXEL = (95.0, 87.0, 337.0), (96, 88, 120), 2.0
"""World place of the picture's first row and column, cells along x, y and z."""


def click_at(page: Any, canvas: str, plane: str, point: tuple[float, float, float]) -> None:
    """Click where a picture that fills its canvas shows a world point."""
    axis = 0 if plane == "coronal" else 1
    box = page.locator(canvas).first.bounding_box()
    across = ((HIGH[axis] - point[axis]) / PIXEL + 0.5) / CELLS[axis]
    down = ((HIGH[2] - point[2]) / PIXEL + 0.5) / CELLS[2]
    page.locator(canvas).first.click(position={"x": across * box["width"], "y": down * box["height"]})


def rows_of(cohort: Path, name: str = "cohort.csv") -> dict[str, dict[str, str]]:
    path = cohort.parent / name
    text = path.read_text() if path.is_file() else "case_id\n"
    return {row["case_id"]: row for row in csv.DictReader(text.splitlines())}


def point_of(row: dict[str, str] | None) -> tuple[float, ...] | None:
    values = [row.get(name) for name in ("x_mm", "y_mm", "z_mm")] if row else [None]
    return tuple(float(value) for value in values if value) if all(values) else None


def off(point: tuple[float, ...], truth: tuple[float, ...]) -> np.ndarray:
    """How far a point lies from where it should, along each axis."""
    return np.abs(np.subtract(point, truth))


def ready(page: Any, case_id: str) -> None:
    """Wait until a case and its pictures are on the screen."""
    page.locator("#case-name", has_text=case_id).wait_for()
    page.locator('#mips[data-empty="false"]').wait_for()


@pytest.fixture
def opened(serving: Callable[[Any], str], page: Any, cohort: Path) -> Any:
    """The page at its first case."""
    page.goto(serving(annotate_application(AnnotationSession(cohort))))
    ready(page, "P2")
    return page


@pytest.fixture
def program(start: Callable[..., Any], page: Any, cohort: Path) -> Any:
    """A running `pointpet annotate`, its page opened."""
    running = start("annotate", cohort)
    page.goto(running.url)
    ready(page, "P2")
    return running


def test_a_click_on_the_first_canvas_and_enter_finish_a_case(opened: Any, cohort: Path, until: Any):
    before = cohort.read_bytes()
    click_at(opened, "canvas", "coronal", FIRST)
    point = until(lambda: point_of(rows_of(cohort)["P2"]))
    assert off(point, FIRST).max() <= RADIUS_MM + PIXEL
    assert off(point, FIRST)[[0, 2]].max() <= PIXEL
    opened.keyboard.press("Enter")
    until(lambda: rows_of(cohort, "annotations.csv").get("P2", {}).get("done") == "1")
    ready(opened, "P3")
    changed = set(cohort.read_bytes().split(b"\r\n")) - set(before.split(b"\r\n"))
    assert [line[:7] for line in changed] == [b"P2,007,"]
    assert "token" not in opened.url


def test_the_outline_and_its_figures_follow_the_click(opened: Any):
    click_at(opened, "canvas", "coronal", FIRST)
    opened.locator("#facts .large", has_text="8.00").last.wait_for()
    assert opened.locator(".slices").get_attribute("data-empty") == "false"
    ink = opened.evaluate(
        """() => {
            const canvas = document.querySelector('#coronal');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let blue = 0;
            for (let i = 0; i < data.length; i += 4) if (data[i + 2] > data[i] + 60) blue += 1;
            return blue;
        }"""
    )
    assert ink > 200  # cross hair and outline


def test_a_click_on_the_other_view_corrects_the_depth(opened: Any, cohort: Path, until: Any):
    click_at(opened, "#coronal", "coronal", FIRST)
    first = until(lambda: point_of(rows_of(cohort)["P2"]))
    click_at(opened, "#sagittal", "sagittal", (0.0, -40.0, FIRST[2]))
    until(lambda: point_of(rows_of(cohort)["P2"])[1] < -35)
    moved = point_of(rows_of(cohort)["P2"])
    assert moved is not None
    assert (moved[0], moved[2]) == (first[0], first[2])


def test_the_second_view_corrects_a_click_that_is_still_on_its_way(opened: Any, cohort: Path, until: Any):
    held: list[Any] = []
    opened.route("**/click", lambda route: route.continue_() if held else held.append(route))
    click_at(opened, "#coronal", "coronal", FIRST)
    click_at(opened, "#sagittal", "sagittal", (0.0, -40.0, FIRST[2]))
    held[0].continue_()

    def corrected() -> tuple[float, ...] | None:
        opened.wait_for_timeout(20)  # lets the second request through
        point = point_of(rows_of(cohort)["P2"])
        return point if point and point[1] < -35 else None

    assert off(until(corrected), FIRST)[[0, 2]].max() <= PIXEL


def test_a_click_on_a_slice_moves_the_point(opened: Any, cohort: Path, until: Any):
    click_at(opened, "#coronal", "coronal", FIRST)
    first = until(lambda: point_of(rows_of(cohort)["P2"]))
    opened.locator('.slices[data-empty="false"]').wait_for()
    box = opened.locator("#slice-axial").bounding_box()
    # The point is in the middle; 160 mm fill the canvas; up is towards the front, left towards the patient's right.
    opened.locator("#slice-axial").click(position={"x": box["width"] * 0.45, "y": box["height"] * 0.4})
    moved = until(lambda: (now := point_of(rows_of(cohort)["P2"])) != first and now)
    np.testing.assert_allclose(np.subtract(moved, first), [8, 16, 0], atol=1.5)


def test_two_lesions_go_to_two_files(opened: Any, cohort: Path, until: Any):
    click_at(opened, "canvas", "coronal", FIRST)
    until(lambda: point_of(rows_of(cohort)["P2"]) is not None)
    opened.locator("#lesions button", has_text="Further").wait_for()
    opened.keyboard.press("l")
    click_at(opened, "canvas", "coronal", SECOND)
    further = until(lambda: point_of(rows_of(cohort, "points.csv").get("P2")))
    assert off(further, SECOND).max() <= RADIUS_MM + PIXEL
    assert off(point_of(rows_of(cohort)["P2"]), FIRST).max() <= RADIUS_MM + PIXEL
    opened.keyboard.press("Delete")
    until(lambda: "P2" not in rows_of(cohort, "points.csv"))


def test_nothing_is_lost_when_it_is_killed(program: Any, page: Any, cohort: Path, start: Any, until: Any):
    click_at(page, "canvas", "coronal", FIRST)
    point = until(lambda: point_of(rows_of(cohort)["P2"]))
    program.stop(signal.SIGKILL)
    again = start("annotate", cohort)
    page.goto(again.url)
    ready(page, "P3")
    assert point_of(rows_of(cohort)["P2"]) == point
    page.keyboard.press("ArrowLeft")
    page.locator("#facts .large", has_text="8.00").last.wait_for()


def test_a_dead_server_is_told_and_the_point_is_not_shown_as_saved(program: Any, page: Any):
    program.stop(signal.SIGKILL)
    click_at(page, "canvas", "coronal", FIRST)
    page.locator("#notice", has_text="The server does not answer").wait_for()
    page.locator('#state[data-kind="failed"]').wait_for()
    assert "no point" in page.locator("#case-P2").inner_text()


def test_labels_comments_and_undo(opened: Any, cohort: Path, until: Any):
    opened.keyboard.press("2")
    until(lambda: rows_of(cohort)["P2"]["label"] == "oesophagus")
    opened.keyboard.press("c")
    opened.keyboard.type("1 cm beside the aorta, Enter stays text")
    opened.keyboard.press("Escape")
    until(lambda: rows_of(cohort, "annotations.csv").get("P2", {}).get("comment", "").startswith("1 cm beside"))
    click_at(opened, "canvas", "coronal", FIRST)
    until(lambda: point_of(rows_of(cohort)["P2"]) is not None)
    opened.keyboard.press("Enter")
    ready(opened, "P3")
    opened.keyboard.press("u")  # the acceptance
    ready(opened, "P2")
    until(lambda: rows_of(cohort, "annotations.csv")["P2"]["done"] == "")
    opened.keyboard.press("Control+z")  # the point
    until(lambda: point_of(rows_of(cohort)["P2"]) is None)
    assert rows_of(cohort)["P2"]["label"] == "oesophagus"


def test_a_new_class_is_typed(opened: Any, cohort: Path, until: Any):
    opened.get_by_role("button", name="New class").click()
    opened.keyboard.type("lymphoma")
    opened.keyboard.press("Enter")
    until(lambda: rows_of(cohort)["P2"]["label"] == "lymphoma")


def test_without_a_mouse(opened: Any, cohort: Path, until: Any):
    """Tab to the coronal MIP, move the cross hair to the sphere, mark, accept."""
    for _ in range(30):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.id") == "coronal":
            break
    right, down = round(((HIGH[0] - FIRST[0]) / PIXEL - 47.5) / 2), round(((HIGH[2] - FIRST[2]) / PIXEL - 59.5) / 2)
    for key, count in (("ArrowRight", right), ("ArrowDown", down)):
        for _ in range(abs(count)):
            opened.keyboard.press(key if count > 0 else key.replace("Right", "Left").replace("Down", "Up"))
    opened.keyboard.press("Space")
    point = until(lambda: point_of(rows_of(cohort)["P2"]))
    assert off(point, FIRST).max() <= RADIUS_MM + PIXEL
    opened.keyboard.press("Enter")
    ready(opened, "P3")


def test_enter_without_a_point_asks_once(opened: Any, cohort: Path, until: Any):
    opened.keyboard.press("Enter")
    opened.locator("#case-hint", has_text="Enter again accepts the case as free of lesions").wait_for()
    assert not (cohort.parent / "annotations.csv").exists()
    opened.keyboard.press("Enter")
    ready(opened, "P3")
    until(lambda: rows_of(cohort, "annotations.csv").get("P2", {}).get("done") == "1")


def test_the_list_is_filtered_and_the_end_is_told(opened: Any, cohort: Path, until: Any):
    opened.get_by_role("button", name="Left", exact=True).click()
    assert opened.locator("#cases li").count() == 2
    for case_id in ("P2", "P3"):
        ready(opened, case_id)
        click_at(opened, "canvas", "coronal", FIRST)
        until(lambda case_id=case_id: point_of(rows_of(cohort)[case_id]) is not None)
        opened.keyboard.press("Enter")
    opened.locator("#case-hint", has_text="All 3 cases have an answer").wait_for()
    assert opened.locator("#progress").get_attribute("aria-valuenow") == "2"


def test_a_second_window_is_told(opened: Any, cohort: Path):
    other = opened.context.new_page()
    other.goto(opened.url)
    other.locator("#notice", has_text="open in another window too").wait_for()


def test_a_second_program_is_told(program: Any, cohort: Path, start: Any):
    second = start("annotate", cohort)
    assert second.process.wait(timeout=20) == 1
    assert "is open in another `pointpet annotate` (process" in second.process.stdout.read()


def test_a_foreign_host_is_refused_over_the_network(program: Any):
    """A name of another site that resolves to this machine (DNS rebinding) gets nothing, even with the token."""
    address = urlsplit(program.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
    connection.request("GET", f"/?{address.query}", headers={"Host": f"evil.example:{address.port}"})
    answer = connection.getresponse()
    assert answer.status == 403
    assert b"PP-WEB-HOST" in answer.read()
    connection.close()


def test_it_ends_without_a_trace(program: Any, cohort: Path):
    assert program.stop(signal.SIGINT) == 0
    assert sorted(path.name for path in cohort.parent.iterdir() if path.is_file()) == ["cohort.csv"]


def test_zoom_and_window_do_not_move_the_point(opened: Any, cohort: Path, until: Any):
    """Zoomed in about the sphere, a click on its middle is still a click on its middle."""
    canvas = opened.locator("#coronal")
    box = canvas.bounding_box()
    x = box["x"] + box["width"] * ((HIGH[0] - FIRST[0]) / PIXEL + 0.5) / CELLS[0]
    y = box["y"] + box["height"] * ((HIGH[2] - FIRST[2]) / PIXEL + 0.5) / CELLS[2]
    opened.mouse.move(x, y)
    opened.mouse.wheel(0, -400)
    opened.keyboard.press("+")
    opened.keyboard.press("i")
    opened.mouse.click(x, y)
    point = until(lambda: point_of(rows_of(cohort)["P2"]))
    assert off(point, FIRST)[[0, 2]].max() <= PIXEL
