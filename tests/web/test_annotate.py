"""The annotation page's requests, without a browser."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointpet.pipeline import browse
from pointpet.pipeline.annotate import AnnotationSession
from pointpet.web.annotate import Windows, annotate_application
from pointpet.web.application import read_assets

FIRST, SECOND = (40.0, 10.0, 240.0), (-32.0, -22.0, 172.0)
PIXEL, TOP_LEFT = 2.0, (95.0, 87.0, 337.0)
"""Pictures have pixels of 2 mm; the cell at the head, front and right is centred here (the scan's border less 1 mm)."""


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    length = int.from_bytes(content[4:8], "little")
    header = json.loads(content[8 : 8 + length])
    arrays = {}
    for name, entry in header["arrays"].items():
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(content[8 + length :], entry["type"], count=count, offset=entry["offset"])
        arrays[name] = values.reshape(entry["shape"]) * header.get("steps", {}).get(name, 1)
    return header, arrays


def pixel(plane: str, point: tuple[float, float, float]) -> tuple[float, float]:
    """Row and column that show a world point."""
    axis = 0 if plane == "coronal" else 1
    return (TOP_LEFT[2] - point[2]) / PIXEL, (TOP_LEFT[axis] - point[axis]) / PIXEL


def click_body(plane: str, point: tuple[float, float, float], revision: int = 0, **more: Any) -> dict[str, Any]:
    row, column = pixel(plane, point)
    return {"plane": plane, "row": row, "column": column, "revision": revision, **more}


def at(point: Sequence[float]) -> dict[str, float]:
    return dict(zip("xyz", point, strict=True))


def rows_of(cohort: Path) -> dict[str, dict[str, str]]:
    return {row["case_id"]: row for row in csv.DictReader(cohort.read_text().splitlines())}


def point_of(row: dict[str, str]) -> np.ndarray:
    return np.array([float(row[name]) for name in ("x_mm", "y_mm", "z_mm")])


@pytest.fixture
def client(client_of: Any, cohort: Path) -> Any:
    return client_of(annotate_application(AnnotationSession(cohort)))


def saved(client: Any, case_id: str, **changes: Any) -> Any:
    state = next(case for case in client.get("/api/cohort").json()["cases"] if case["id"] == case_id)
    body = {name: state[name] for name in ("label", "points", "pixels", "done", "comment", "seconds", "revision")}
    return client.put(f"/api/cases/{case_id}/annotation", json={**body, **changes})


def test_the_cohort_opens_at_the_first_case_without_a_point(client: Any):
    answer = client.get("/api/cohort").json()
    assert answer["start"] == "P2"
    assert answer["classes"] == ["lung", "oesophagus"]
    assert [case["id"] for case in answer["cases"]] == ["P1", "P2", "P3"]
    assert answer["cases"][0]["points"] == [[40.0, 10.0, 240.0]]


def test_the_page_and_its_files_are_served_and_nothing_else(client: Any):
    page = client.get("/").text
    assert page.index('id="coronal"') == page.index("id=", page.index("<canvas"))  # the first canvas
    for name in ("base.css", "annotate.js", "picture.js", "icon.svg"):
        assert client.get(f"/assets/{name}").status_code == 200
    for name in ("../annotate.py", "%2e%2e%2fannotate.py", "missing.js", "..%2f..%2fpyproject.toml"):
        assert client.get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize("name", ["annotate", "view"])
def test_every_module_is_asked_for_with_the_page_and_not_one_after_another(name: str):
    assets = {file: content.decode() for file, (content, _) in read_assets().items()}
    found, todo = set(), [f"{name}.js"]
    while todo:
        imported = set(re.findall(r'from "\./([\w-]+\.js)"', assets[todo.pop()])) - found
        found |= imported
        todo += imported
    preloaded = re.findall(r'rel="modulepreload" href="/assets/([\w-]+\.js)"', assets[f"{name}.html"])
    assert len(found) > 5
    assert sorted(preloaded) == sorted(found - {f"{name}.js"})


def test_nothing_on_the_pages_comes_from_elsewhere(client: Any):
    """They work without a network: the only address is the one that names a namespace."""
    from pointpet.web.application import read_assets

    for name, (content, _) in read_assets().items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, name
        assert "https:" not in text, name


def test_mips_come_with_their_frame(client: Any):
    header, arrays = unpack(client.get("/api/cases/P2/mips").content)
    assert header["frame"] == {"pixel_mm": 2.0, "origin_mm": [-95.0, -87.0, 99.0], "cells": [96, 88, 120]}
    assert arrays["coronal"].shape == (120, 96)
    assert arrays["sagittal"].shape == (120, 88)
    row, column = (round(v) for v in pixel("coronal", FIRST))
    assert arrays["coronal"][row, column] == pytest.approx(8.0, abs=1e-3)
    assert arrays["coronal"][row, 95 - column] < 2  # and not at the mirror's place


def test_one_click_gives_three_coordinates_in_the_file(client: Any, cohort: Path):
    before = cohort.read_bytes()
    state = client.post("/api/cases/P2/click", json=click_body("coronal", FIRST)).json()
    assert state["revision"] == 1
    row = rows_of(cohort)["P2"]
    assert np.abs(point_of(row) - FIRST).max() <= 12
    assert state["points"] == [point_of(row).tolist()]
    changed = [line for line in cohort.read_bytes().split(b"\r\n") if line not in before.split(b"\r\n")]
    assert len(changed) == 1
    assert changed[0].startswith(b"P2,007,")


def test_a_click_on_the_other_view_corrects_the_depth_alone(client: Any, cohort: Path):
    first = client.post("/api/cases/P2/click", json=click_body("coronal", FIRST)).json()["points"][0]
    moved = (FIRST[0], 4.0, FIRST[2] + 4)
    body = click_body("sagittal", moved, 1, keeps_point=True)
    second = client.post("/api/cases/P2/click", json=body).json()["points"][0]
    assert second == [first[0], pytest.approx(4.0, abs=1.0), first[2]]
    assert point_of(rows_of(cohort)["P2"]).tolist() == second


def test_a_second_lesion_goes_to_points_csv(client: Any, cohort: Path):
    client.post("/api/cases/P2/click", json=click_body("coronal", FIRST))
    state = client.post("/api/cases/P2/click", json=click_body("coronal", SECOND, 1, lesion=1)).json()
    assert len(state["points"]) == 2
    further = list(csv.DictReader((cohort.parent / "points.csv").read_text().splitlines()))
    assert [row["case_id"] for row in further] == ["P2"]
    assert np.abs(point_of(further[0]) - SECOND).max() <= 12


def test_the_lesion_under_the_click_is_outlined_and_described(client: Any):
    header, arrays = unpack(client.get("/api/cases/P2/lesion", params=at(FIRST)).content)
    assert header["lesion"]["suv_max"] == pytest.approx(8.0)
    assert header["lesion"]["mtv_ml"] == pytest.approx(4 / 3 * np.pi * 11**3 / 1000, rel=0.15)
    outline = np.concatenate(header["mips"]["coronal"])
    np.testing.assert_allclose(outline.mean(axis=0), pixel("coronal", FIRST), atol=1.5)
    assert set(arrays) == {"coronal", "sagittal", "axial"}
    frame = header["frame"]
    row = frame["cells"][1] - 1 - round((FIRST[1] - frame["origin_mm"][1]) / PIXEL)
    column = frame["cells"][0] - 1 - round((FIRST[0] - frame["origin_mm"][0]) / PIXEL)
    assert arrays["axial"][row, column] == pytest.approx(8.0, abs=0.01)


def test_a_resting_mouse_begins_the_outline_and_saves_nothing(client_of: Any, cohort: Path):
    session = AnnotationSession(cohort)
    client, before = client_of(annotate_application(session)), cohort.read_bytes()
    row, column = pixel("coronal", FIRST)
    place = {"plane": "coronal", "row": row, "column": column}
    assert client.post("/api/cases/P2/foresee", json=place).status_code == 204
    begun = list(session.outlines._made)
    assert cohort.read_bytes() == before
    point = client.post("/api/cases/P2/click", json=click_body("coronal", FIRST)).json()["points"][0]
    client.get("/api/cases/P2/lesion", params=at(point))
    assert list(session.outlines._made) == begun  # the click's outline was found
    assert client.post("/api/cases/P2/foresee", json={**place, "row": -9}).status_code == 422
    assert client.post("/api/cases/P9/foresee", json=place).status_code == 404


def test_the_first_pictures_let_the_outlines_libraries_load(client_of: Any, cohort: Path, until: Any, monkeypatch: Any):
    outlined, original = [], browse.lesion_at
    monkeypatch.setattr(browse, "lesion_at", lambda scan, point: (outlined.append(scan.case_id), original(scan, point)))
    client = client_of(annotate_application(AnnotationSession(cohort)))
    assert outlined == []
    for case_id in ("P2", "P3", "P2"):
        assert client.get(f"/api/cases/{case_id}/mips").status_code == 200
    until(lambda: outlined == ["P2"])
    time.sleep(0.2)
    assert outlined == ["P2"]


def test_a_failed_outline_is_tried_again(client: Any):
    for _ in range(2):
        assert client.get("/api/cases/P2/lesion", params={"x": 9000, "y": 0, "z": 0}).status_code == 422


def test_done_label_and_comment_are_saved(client: Any, cohort: Path):
    assert saved(client, "P2", label="lung", done=True, seconds=4.2, comment="clear").status_code == 200
    assert rows_of(cohort)["P2"]["label"] == "lung"
    assert (cohort.parent / "annotations.csv").read_text() == "case_id,done,seconds,comment\nP2,1,4.2,clear\n"
    assert AnnotationSession(cohort).start == "P3"


def test_two_windows_do_not_undo_each_other(client: Any):
    client.post("/api/cases/P2/click", json=click_body("coronal", FIRST))
    late = client.post("/api/cases/P2/click", json=click_body("coronal", SECOND))
    assert late.status_code == 409
    assert late.json()["case"]["revision"] == 1
    assert "was changed in another window" in late.json()["message"]


@pytest.mark.parametrize("case_id", ["P9", "..", "%2e%2e%2fx", "P1%00", "a" * 500])
def test_an_unknown_case_is_not_looked_for(client: Any, case_id: str):
    for address in (f"/api/cases/{case_id}/mips", f"/api/cases/{case_id}/thumbnail"):
        assert client.get(address).status_code == 404
    assert client.post(f"/api/cases/{case_id}/click", json=click_body("coronal", FIRST)).status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"points": [[1e9, 0, 0]]}, 422),
        ({"points": [[0, 0, 9000.0]]}, 422),
        ({"points": [[0, 0, 200.0]] * 201}, 422),
        ({"label": "x" * 65}, 422),
        ({"label": "=cmd"}, 422),
        ({"comment": "x" * 2001}, 422),
        ({"pixels": {"coronal": [[1, 1]]}}, 422),
        ({"unknown": 1}, 422),
        ({"revision": 7}, 409),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(client: Any, cohort: Path, change: dict[str, Any], status: int):
    before = cohort.read_bytes()
    answer = saved(client, "P2", **change)
    assert answer.status_code == status
    assert set(answer.json()) >= {"code", "message"}
    assert cohort.read_bytes() == before


@pytest.mark.parametrize(("row", "column"), [(-1, 3), (5, 500), (float("nan"), 1)])
def test_a_click_beside_the_picture_is_refused(client: Any, row: float, column: float):
    answer = client.post("/api/cases/P2/click", json={"plane": "coronal", "row": row, "column": column, "revision": 0})
    assert answer.status_code == 422


def test_lesions_are_numbered_without_gaps(client: Any):
    answer = client.post("/api/cases/P2/click", json=click_body("coronal", FIRST, lesion=1))
    assert answer.status_code == 422
    assert "the next lesion in this view is number 1, got 2" in answer.json()["message"]


def test_a_scan_that_cannot_be_read_is_told_and_the_others_go_on(client_of: Any, cohort: Path):
    text = cohort.read_text()
    broken = cohort.parent / "broken.nii.gz"
    broken.write_bytes(b"no image")
    cohort.write_text(text.replace(text.split("P2,007,")[1].split(",")[0], "broken.nii.gz"))
    fresh = client_of(annotate_application(AnnotationSession(cohort)))
    answer = fresh.get("/api/cases/P2/mips")
    assert answer.status_code == 422
    assert str(cohort.parent) not in answer.text
    assert fresh.get("/api/cases/P3/mips").status_code == 200


def test_a_full_disk_is_named_and_the_state_stays(client: Any, cohort: Path, monkeypatch: pytest.MonkeyPatch):
    import errno

    import pointpet.io.artefacts as artefacts

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = cohort.read_bytes()
    monkeypatch.setattr(artefacts.os, "replace", full)
    answer = client.post("/api/cases/P2/click", json=click_body("coronal", FIRST))
    assert (answer.status_code, answer.json()["code"]) == (500, "PP-OUT-DISK")
    monkeypatch.undo()
    assert cohort.read_bytes() == before
    assert client.post("/api/cases/P2/click", json=click_body("coronal", FIRST)).status_code == 200


def test_a_thumbnail_is_a_small_picture(client: Any, tmp_path: Path):
    path = tmp_path / "small.png"
    path.write_bytes(client.get("/api/cases/P1/thumbnail").content)
    with Image.open(path) as image:
        assert image.size == (77, 96)


def test_ready_made_pictures_are_marked_view_by_view(client_of: Any, tmp_path: Path):
    Image.fromarray(np.full((40, 30), 9, np.uint8)).save(tmp_path / "c.png")
    Image.fromarray(np.full((40, 20), 9, np.uint8)).save(tmp_path / "s.png")
    cohort = tmp_path / "cohort.csv"
    cohort.write_text("case_id,mip_coronal,mip_sagittal,mip_scale\nA,c.png,s.png,10\n")
    client = client_of(annotate_application(AnnotationSession(cohort)))
    header, arrays = unpack(client.get("/api/cases/A/mips").content)
    assert header["frame"]["origin_mm"] is None
    assert arrays["sagittal"].shape == (40, 20)
    client.post("/api/cases/A/click", json={"plane": "coronal", "row": 12.4, "column": 7, "revision": 0})
    client.post("/api/cases/A/click", json={"plane": "sagittal", "row": 11.6, "column": 3, "revision": 1})
    row = rows_of(cohort)["A"]
    assert [row[n] for n in ("coronal_row", "coronal_col", "sagittal_row", "sagittal_col")] == [
        "12",
        "7",
        "12",
        "3",
    ]
    outside = client.post("/api/cases/A/click", json={"plane": "sagittal", "row": 1, "column": 20, "revision": 2})
    assert outside.status_code == 422
    assert "40 rows and 20 columns" in outside.json()["message"]
    assert client.get("/api/cases/A/lesion", params={"x": 0, "y": 0, "z": 0}).status_code == 422
    assert saved(client, "A", points=[[0, 0, 0]]).status_code == 422


def test_a_second_window_is_told_until_the_first_is_gone(client: Any):
    def tell(window: str, **more: Any) -> int:
        return client.post("/api/presence", json={"window": window, **more}).json()["others"]

    assert tell("a" * 16) == 0
    assert tell("b" * 16) == 1
    assert tell("a" * 16, closing=True) == 0
    assert tell("b" * 16) == 0


def test_a_window_that_went_silent_is_forgotten():
    windows = Windows(presence_s=0.0)
    windows.others("a")
    assert windows.others("b") == 0
