"""The viewer's requests, without a browser."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointpet.core import ConfigError, OutputError
from pointpet.io.nifti import read_mask
from pointpet.pipeline.results import ResultFolder
from pointpet.web.view import view_application

FIRST, SECOND = (40.0, 10.0, 240.0), (-32.0, -22.0, 172.0)
PIXEL, HIGH = 2.0, (95.0, 87.0, 337.0)


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    length = int.from_bytes(content[4:8], "little")
    header = json.loads(content[8 : 8 + length])
    arrays = {}
    for name, entry in header["arrays"].items():
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(content[8 + length :], entry["type"], count=count, offset=entry["offset"])
        arrays[name] = values.reshape(entry["shape"]) * header.get("steps", {}).get(name, 1)
    return header, arrays


def at(point: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip("xyz", point, strict=True))


@pytest.fixture
def client(client_of: Any, study: Path, cohort: Path) -> Any:
    return client_of(view_application(ResultFolder(study, cohort)))


@pytest.fixture
def bare(client_of: Any, prediction: Path) -> Any:
    """A prediction whose images are not given."""
    return client_of(view_application(ResultFolder(prediction)))


def test_methods_come_in_the_studys_order(client: Any):
    assert client.get("/api/results").json() == {"name": "study", "study": True, "methods": ["proposed", "suv40"]}


def test_cases_come_with_dice_confidence_and_flags(client: Any):
    cases = client.get("/api/results/proposed").json()["cases"]
    assert [(case["id"], case["dice"], case["confidence"]) for case in cases] == [
        ("P1", 0.9, 0.9), ("P2", 0.2, 0.9), ("P3", 0.7, 0.9),
    ]  # fmt: skip
    assert cases[1]["flags"] == ["large_mask"]
    assert cases[0]["mtv_ml"] == 5.6


def test_a_case_tells_what_can_be_shown(client: Any, bare: Any):
    full = client.get("/api/results/proposed/P1").json()
    assert [full[name] for name in ("has_mips", "has_volume", "has_truth", "has_mask")] == [True, True, True, True]
    alone = bare.get("/api/results/proposed/P1").json()
    assert [alone[name] for name in ("has_mips", "has_volume", "has_truth", "has_picture")] == [
        False,
        False,
        False,
        True,
    ]
    assert bare.get("/api/results/proposed/P1/picture").content.startswith(b"\x89PNG")


@pytest.mark.parametrize("address", [
    "/api/results/none", "/api/results/../x", "/api/results/proposed/P9", "/api/results/proposed/%2e%2e",
    "/api/results/proposed/P9/picture", "/api/results/suv40/P9/overlays", "/api/cases/P9/mips",
    "/api/cases/P9/thumbnail",
])  # fmt: skip
def test_what_is_not_listed_is_not_looked_for(client: Any, address: str):
    assert client.get(address).status_code == 404


def test_without_images_nothing_of_the_scan_is_asked_for(bare: Any):
    for address in ("/api/cases/P1/mips", "/api/results/proposed/P1/overlays", "/api/results/proposed/P1/rotation"):
        assert bare.get(address).status_code == 404


def test_overlays_lie_where_the_lesion_is(client: Any):
    header, arrays = unpack(client.get("/api/results/proposed/P1/overlays").content)
    for name in ("prediction", "truth"):
        outline = np.concatenate(header["contours"][name]["coronal"])
        wanted = [(HIGH[2] - FIRST[2]) / PIXEL, (HIGH[0] - FIRST[0]) / PIXEL]
        np.testing.assert_allclose(outline.mean(axis=0), wanted, atol=1.5)
    top, left, bottom, right = header["maps"]["coronal"]["extent"]
    assert (top, left, bottom, right) == pytest.approx((-0.5, -0.5, 119.5, 95.5))  # 4 mm pixels over 2 mm pixels
    level = arrays["coronal"]
    row, column = np.unravel_index(level.argmax(), level.shape)
    shown = [
        top + (row + 0.5) * (bottom - top) / level.shape[0],
        left + (column + 0.5) * (right - left) / level.shape[1],
    ]
    np.testing.assert_allclose(shown, [(HIGH[2] - FIRST[2]) / PIXEL, (HIGH[0] - FIRST[0]) / PIXEL], atol=8)
    assert header["maps"]["coronal"]["class"] == "lung"


def test_slices_pass_through_the_point(client: Any):
    header, arrays = unpack(client.get("/api/results/proposed/P1/slices", params=at(FIRST)).content)
    assert arrays["coronal"].shape == (120, 96)
    assert arrays["axial"].shape == (88, 96)
    row, column = round((HIGH[1] - FIRST[1]) / PIXEL), round((HIGH[0] - FIRST[0]) / PIXEL)
    assert arrays["axial"][row, column] == pytest.approx(8.0, abs=0.01)
    assert header["contours"]["truth"]["axial"]
    _, elsewhere = unpack(client.get("/api/results/proposed/P1/slices", params=at((0, 0, 300))).content)
    assert elsewhere["axial"].max() < 2


def test_a_click_on_a_mip_finds_the_depth(client: Any):
    params = {"plane": "coronal", "row": (HIGH[2] - FIRST[2]) / PIXEL, "column": (HIGH[0] - FIRST[0]) / PIXEL}
    point = client.get("/api/cases/P1/point", params=params).json()["point"]
    assert np.abs(np.subtract(point, FIRST)).max() <= 12


def test_the_rotation_has_all_its_frames(client: Any):
    header, arrays = unpack(client.get("/api/results/proposed/P1/rotation").content)
    assert header["frames"] == 36
    assert arrays["mips"].shape == (36, 60, 48)
    assert arrays["truth"].shape == arrays["prediction"].shape == (36, 60, 48)
    assert arrays["truth"].max(axis=(1, 2)).tolist() == [1] * 36


def test_surfaces_are_triangles_about_the_lesion(client: Any):
    _, arrays = unpack(client.get("/api/results/proposed/P1/surfaces").content)
    corners = arrays["prediction_corners"]
    np.testing.assert_allclose((corners.min(axis=0) + corners.max(axis=0)) / 2, FIRST, atol=3)
    assert arrays["prediction_triangles"].max() == len(corners) - 1
    assert np.ptp(arrays["body_corners"], axis=0)[0] > 120


def test_verdicts_are_written_and_come_back(client: Any, client_of: Any, study: Path, cohort: Path):
    answer = client.put("/api/results/proposed/P2/review", json={"verdict": "rejected", "comment": "bladder"})
    assert answer.json() == {"verdict": "rejected", "point": None, "comment": "bladder"}
    again = client_of(view_application(ResultFolder(study, cohort)))
    assert [case["verdict"] for case in again.get("/api/results/proposed").json()["cases"]] == ["", "rejected", ""]
    assert [case["verdict"] for case in again.get("/api/results/suv40").json()["cases"]] == ["", "", ""]


def test_a_correction_writes_its_mask_and_takes_it_back(client: Any, study: Path, images: Path):
    corrected = study / "predictions" / "proposed" / "P2" / "corrected.nii.gz"
    body = {"verdict": "corrected", "point": list(SECOND)}
    assert client.put("/api/results/proposed/P2/review", json=body).status_code == 200
    row = next(csv.DictReader((study / "review.csv").read_text().splitlines()))
    assert [float(row[name]) for name in ("x_mm", "y_mm", "z_mm")] == list(SECOND)
    from pointpet.core import Unit
    from pointpet.io.nifti import read_nifti

    mask = read_mask(corrected, read_nifti(images / "P2.nii.gz", Unit.SUVBW))
    middle = mask.grid.world(np.argwhere(mask.voxels)).mean(axis=0)
    np.testing.assert_allclose(middle, SECOND, atol=3)
    client.put("/api/results/proposed/P2/review", json={"verdict": "accepted"})
    assert not corrected.exists()


@pytest.mark.parametrize("body", [
    {"verdict": "perhaps"}, {"verdict": "accepted", "comment": "x" * 2001}, {"verdict": "corrected", "point": [0, 0]},
    {"verdict": "corrected", "point": [0, 0, 9000.0]}, {},
])  # fmt: skip
def test_what_is_no_verdict_is_refused(client: Any, study: Path, body: dict[str, Any]):
    assert client.put("/api/results/proposed/P2/review", json=body).status_code == 422
    assert not (study / "review.csv").exists()


def test_a_correction_without_the_scan_is_refused(bare: Any):
    answer = bare.put("/api/results/proposed/P1/review", json={"verdict": "corrected", "point": [0, 0, 200.0]})
    assert answer.status_code == 422
    assert "its PET was not given. Start the viewer with --images" in answer.json()["message"]


def test_images_from_a_folder_are_found_by_name(client_of: Any, prediction: Path, images: Path):
    client = client_of(view_application(ResultFolder(prediction, images)))
    case = client.get("/api/results/proposed/P1").json()
    assert (case["has_volume"], case["has_truth"]) == (True, False)
    assert client.get("/api/cases/P1/mips").status_code == 200


def test_a_study_shows_its_own_mips_where_no_images_are_given(client_of: Any, study: Path):
    from pointpet.core import Unit
    from pointpet.io.mip_files import write_mips
    from pointpet.io.nifti import read_nifti
    from pointpet.project import project

    volume = read_nifti(study / "predictions" / "proposed" / "P1" / "mask.nii.gz", Unit.SUVBW)
    write_mips(study / ".prepared" / "cases" / "P1.npz", project(volume, pixel_mm=2.0))
    client = client_of(view_application(ResultFolder(study)))
    assert client.get("/api/results/proposed/P1").json()["has_mips"]
    header, _ = unpack(client.get("/api/results/proposed/P1/overlays").content)
    outline = np.concatenate(header["contours"]["prediction"]["coronal"])
    np.testing.assert_allclose(outline.mean(axis=0), [(HIGH[2] - FIRST[2]) / 2, (HIGH[0] - FIRST[0]) / 2], atol=1.5)
    answer = client.get("/api/results/proposed/P1/slices", params=at(FIRST))
    assert answer.status_code == 422
    _, surfaces = unpack(client.get("/api/results/proposed/P1/surfaces").content)
    assert {name.split("_")[0] for name in surfaces} == {"prediction"}


def test_an_empty_mask_is_shown_as_none(client_of: Any, prediction: Path):
    from pointpet.core import Mask
    from pointpet.io.nifti import write_mask

    write_mask(prediction / "P1" / "mask.nii.gz", Mask(np.zeros((4, 4, 4), bool), np.eye(4)))
    assert ResultFolder(prediction).masks("proposed", "P1") == {}


def test_a_folder_without_results_is_refused(tmp_path: Path):
    with pytest.raises(OutputError, match="holds no results"):
        ResultFolder(tmp_path)


def test_images_of_other_cases_are_refused(study: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "X.nii.gz").touch()
    with pytest.raises(ConfigError, match="--images: holds none of the 3 cases"):
        ResultFolder(study, other)
