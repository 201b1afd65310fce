"""Cohorts of ready-made MIP images: cancer against control, one view or both, everything in two dimensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pointpet.core import Plane
from pointpet.image.picture_body import BODY_LEVEL_SUV
from pointpet.io.artefacts import read_json
from pointpet.io.cohort_csv import write_cohort, write_points
from pointpet.io.mip_pictures import write_picture
from pointpet.learn.settings import PICTURES_PRESET
from pointpet.pipeline.annotate import AnnotationSession, Click
from pointpet.pipeline.check import check_cohort
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.fold import case_folder, model_folder
from pointpet.pipeline.predict import predict_inputs
from pointpet.pipeline.prepare import case_pixels, prepare_cohort
from pointpet.pipeline.results import ResultFolder
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.pipeline.train import train_model

PIXEL_MM = 6.0
SHAPES = {Plane.CORONAL: (100, 80), Plane.SAGITTAL: (96, 50)}
BODIES = {Plane.CORONAL: slice(7, 73), Plane.SAGITTAL: slice(6, 44)}
BODY_GREY, LESION_GREY, BRAIN_GREY = 30, 200, 160
METHODS = ("proposed", "cam_alone", "cam_fcn", "unet")


def picture(plane: Plane, lesions: list[tuple[int, int]], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A body with a hot head, and lesions of radius 2 about (row, column); grey values and mask, uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPES[plane])
    grey = np.zeros(SHAPES[plane])
    grey[5:, BODIES[plane]] = BODY_GREY
    middle = (BODIES[plane].start + BODIES[plane].stop) // 2
    grey[(rows - 12) ** 2 + (columns - middle) ** 2 < 30] = BRAIN_GREY
    grey = grey * rng.normal(1, 0.05, grey.shape)
    mask = np.zeros(grey.shape, bool)
    for row, column in lesions:
        mask |= (rows - row) ** 2 + (columns - column) ** 2 <= 4
    grey[mask] = LESION_GREY
    return np.clip(grey, 0, 255).astype(np.uint8), mask.astype(np.uint8) * 255


def write_pictures(
    folder: Path, cases: int = 12, planes: tuple[Plane, ...] = (Plane.CORONAL,), **cells: object
) -> Path:
    """Half cancer with three lesions of which one is clicked, half control without any."""
    rows, further = [], []
    for number in range(cases):
        case_id, sick = f"M{number:02d}", number % 2 == 0
        row: dict[str, object] = {"case_id": case_id, "label": "cancer" if sick else "control", "pixel_mm": PIXEL_MM}
        heights = np.random.default_rng(number).permutation(np.arange(30, 90, 8))[:3].tolist() if sick else []
        for plane in planes:
            across = 20 if plane is Plane.SAGITTAL else 30
            lesions = [(height, across + 3 * index) for index, height in enumerate(heights)]
            grey, mask = picture(plane, lesions, number)
            row[f"mip_{plane}"] = folder / f"{case_id}_{plane}.png"
            write_picture(folder / f"{case_id}_{plane}.png", grey)
            if lesions:
                row |= dict(zip((f"{plane}_row", f"{plane}_col"), lesions[0], strict=True))
                row[f"mask_{plane}"] = folder / f"{case_id}_{plane}_mask.png"
                write_picture(folder / f"{case_id}_{plane}_mask.png", mask)
        if heights:
            columns = [name for plane in planes for name in (f"{plane}_row", f"{plane}_col")]
            places = [place for plane in planes for place in (heights[1], (20 if plane is Plane.SAGITTAL else 30) + 3)]
            further.append({"case_id": case_id, **dict(zip(columns, places, strict=True))})
        rows.append(row | cells)
    write_cohort(folder / "cohort.csv", rows)
    write_points(folder / "points.csv", further)
    return folder / "cohort.csv"


@pytest.fixture(scope="module")
def quick_2d():
    training = {"epochs": 2, "input_mm": 12.0, "widths": [4] * 8, "threads": 1}
    own = {"unet": {"features": [4, 4, 4, 8, 8, 4], "epochs": 2}, "cam_fcn": {"epochs": 2}}
    return build_configuration({"training": training, **own})


@pytest.fixture(scope="module")
def coronal(tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("coronal"))


@pytest.fixture(scope="module")
def study(coronal, quick_2d, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    outcome = run_study(StudyRequest(coronal, (), folds=2, seed=1), out, quick_2d)
    assert outcome.failures == ()
    return out


def test_check_reads_pictures_points_and_masks(coronal):
    found = check_cohort(coronal)
    assert found.faults == ()
    assert found.by_label == {"cancer": 6, "control": 6}
    first = found.rows[0]
    assert (first["shape"], first["points"], first["mask_pixels"], first["planes"]) == ("100x80", 2, 39, 1)
    assert [warning["code"] for warning in found.warnings] == ["PP-CHECK-SCALE"]
    assert "12 cases have pictures without mip_scale" in found.warnings[0]["message"]


def test_check_reports_every_fault_of_pictures_at_once(tmp_path):
    manifest = write_pictures(tmp_path)
    Image.fromarray(255 - np.asarray(Image.open(tmp_path / "M00_coronal.png"))).save(tmp_path / "M00_coronal.png")
    (tmp_path / "M01_coronal.png").write_bytes(b"no picture")
    table = pd.read_csv(manifest)
    table.loc[table["case_id"] == "M02", "coronal_row"] = 400
    write_picture(tmp_path / "M02_coronal_mask.png", np.ones((3, 3), np.uint8))
    write_picture(tmp_path / "M04_coronal_mask.png", np.zeros((100, 80), np.uint8))
    (tmp_path / "M06_coronal_mask.png").unlink()
    table.to_csv(manifest, index=False)
    found = check_cohort(manifest)
    told = "\n".join(fault["message"] for fault in found.faults)
    for expected in (
        "M00_coronal.png: must be cold at its sides",
        "M01_coronal.png: cannot be read as PNG or NPY",
        "case M02: its point must lie inside the scan, got row 400.0",
        "M02_coronal_mask.png: must have its picture's size (100, 80), got (3, 3)",
        "M06",
    ):
        assert expected in told
    assert len(found.faults) == 5
    assert any("case M04: its masks hold no pixel" in warning["message"] for warning in found.warnings)


def test_check_says_that_a_pixel_size_is_impossible(tmp_path):
    manifest = write_pictures(tmp_path, pixel_mm=None)
    found = check_cohort(manifest)
    told = [warning["message"] for warning in found.warnings if warning["code"] == "PP-CHECK-PIXEL"]
    assert len(told) == 1
    assert "training takes pixels to be 6.1 times as large" in told[0]


def test_a_study_of_one_view_fills_its_tables_in_two_dimensions(study):
    segmentation = pd.read_csv(study / "tables" / "segmentation.csv")
    assert set(segmentation["method"]) == set(METHODS)
    sick = segmentation.query("label == 'cancer'")
    for measure in ("dice", "dice_coronal", "hit", "hit_strict", "distance_mm", "hd95_mm", "fp_cm2", "fn_cm2"):
        assert sick[measure].notna().all(), measure
    assert (sick["dice"] == sick["dice_coronal"]).all()
    healthy = segmentation.query("label == 'control'")
    assert healthy["fp_cm2"].notna().all()
    for measure in ("dice", "hit", "hit_strict", "distance_mm", "hd95_mm", "fp_ml", "dice_sagittal"):
        assert healthy[measure].isna().all(), measure
    assert segmentation[["fp_ml", "fn_ml", "mtv_ml", "dice_hull"]].isna().all(axis=None)
    record = read_json(study / "study.json")
    assert record["lesion_free"] == ["control"]
    assert record["cohort"]["pictures"] == 12
    assert {entry["method"] for entry in record["methods_left_out"]} >= {"suv25", "click41", "rpet3d"}


def test_a_study_gives_the_area_under_the_curve_of_each_method(study):
    table = pd.read_csv(study / "tables" / "classification_summary.csv")
    assert list(table["method"]) == list(METHODS)
    assert set(table["class"]) == {"cancer"}
    assert table[["prevalence", "auc_mean", "auc_pooled", "auc_lo", "auc_hi", "accuracy"]].notna().all(axis=None)
    assert table["prevalence"].eq(0.5).all()


def test_a_study_writes_masks_of_the_pictures_size(study, coronal):
    for case_id in ("M00", "M01"):
        folder = case_folder(study, "proposed", case_id)
        names = {path.name for path in folder.iterdir()}
        assert names == {"mask_coronal.png", "cam_coronal.nii.gz", "mip.png", "result.json"}
        mask = np.asarray(Image.open(folder / "mask_coronal.png"))
        assert mask.shape == (100, 80)
        assert set(np.unique(mask)) <= {0, 255}


def test_the_report_says_that_its_figures_are_two_dimensional(study):
    page = (study / "report.html").read_text("utf-8")
    assert "ready-made MIP images" in page
    assert "two-dimensional" in page
    assert "False positive, cm²" in page
    assert "False positive, mL" not in page


def test_a_lesion_free_class_lets_many_lesions_be_drawn(study):
    record = read_json(model_folder(study, "proposed", 0) / "model.json")
    assert record["localise"]["max_lesions"] > 1
    assert record["lesion_free"] == ["control"]
    assert record["pixel_correction"] == 1.0


def test_pictures_of_controls_and_disease_are_trained_on_bent_greys(study):
    for method in ("proposed", "cam_alone"):
        settings = read_json(model_folder(study, method, 0) / "model.json")["network"]["settings"]
        assert {name: settings[name] for name in PICTURES_PRESET} == PICTURES_PRESET


def test_predict_answers_pictures_in_two_dimensions(study, coronal, tmp_path):
    outcome = predict_inputs(model_folder(study, "proposed", 0), [coronal], tmp_path / "out")
    assert outcome.failures == ()
    assert len(outcome.rows) == 12
    folder = tmp_path / "out" / "M00"
    assert {path.name for path in folder.iterdir()} == {
        ".inputs.json",
        "mask_coronal.png",
        "cam_coronal.nii.gz",
        "mip.png",
        "result.json",
    }
    result = read_json(folder / "result.json")
    assert result["notice"].startswith("Research use only")
    assert set(result["views"]) == {"coronal"}
    pixels = int((np.asarray(Image.open(folder / "mask_coronal.png")) > 0).sum())
    assert result["views"]["coronal"]["area_cm2"] == pytest.approx(pixels * 0.36, abs=1e-3)
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert summary["mtv_ml"].isna().all()
    assert summary["probability_cancer"].between(0, 1).all()
    again = predict_inputs(model_folder(study, "proposed", 0), [coronal], tmp_path / "out")
    assert again.rows == outcome.rows


def test_predict_refuses_dicom_of_pictures(study, coronal, tmp_path):
    outcome = predict_inputs(
        model_folder(study, "proposed", 0), [coronal], tmp_path / "out", formats=("nifti", "dicom-seg")
    )
    assert len(outcome.failures) == 12
    assert "has ready-made MIP images, which cannot be written as dicom-seg" in str(outcome.failures[0][1])


def test_both_views_of_different_height_train_and_predict(quick_2d, tmp_path):
    manifest = write_pictures(tmp_path / "both", planes=tuple(Plane))
    train_model(manifest, tmp_path / "model", quick_2d)
    outcome = predict_inputs(tmp_path / "model", [manifest], tmp_path / "out")
    assert outcome.failures == ()
    assert set(read_json(tmp_path / "out" / "M00" / "result.json")["views"]) == {"coronal", "sagittal"}


def test_a_wrong_pixel_size_changes_no_answer(quick_2d, tmp_path):
    right, wrong = (write_pictures(tmp_path / name, pixel_mm=size) for name, size in (("a", 6.0), ("b", 1.0)))
    for name, manifest in (("a", right), ("b", wrong)):
        train_model(manifest, tmp_path / f"{name}_model", quick_2d)
    records = [read_json(tmp_path / f"{name}_model" / "model.json") for name in "ab"]
    assert records[0]["pixel_correction"] == 1.0
    assert records[1]["pixel_correction"] == pytest.approx(6.0, rel=0.05)


def test_masks_without_a_pixel_are_those_of_a_control(coronal, quick_2d, tmp_path):
    manifest = write_pictures(tmp_path)
    table = pd.read_csv(manifest)
    controls = table["label"] == "control"
    table.loc[controls, "mask_coronal"] = [f"{name}_empty.png" for name in table.loc[controls, "case_id"]]
    for name in table.loc[controls, "mask_coronal"]:
        write_picture(tmp_path / name, np.zeros((100, 80), np.uint8))
    table.to_csv(manifest, index=False)
    prepared = prepare_cohort(manifest, tmp_path / "prepared", quick_2d.preparing())
    assert [case.case.has_truth for case in prepared.cases] == [True, False] * 6
    assert all(case.turned() == () for case in prepared.cases)


def test_the_body_sets_the_grey_scale(coronal, quick_2d, tmp_path):
    settings = replace(quick_2d.preparing(), picture_suv="body")
    prepared = prepare_cohort(coronal, tmp_path, settings)
    for case in prepared.cases:
        values = case.mips.picture(Plane.CORONAL)
        assert np.median(values[values > 0.3]) == pytest.approx(BODY_LEVEL_SUV, rel=0.02)


def test_three_classes_and_several_points(quick_2d, tmp_path):
    manifest = write_pictures(tmp_path / "three", cases=18)
    table = pd.read_csv(manifest)
    sick = table.index[table["label"] == "cancer"]
    table.loc[sick[: len(sick) // 2], "label"] = "lymphoma"
    table.to_csv(manifest, index=False)
    out = tmp_path / "study"
    outcome = run_study(StudyRequest(manifest, ("proposed",), folds=2), out, quick_2d)
    assert outcome.failures == ()
    named = pd.read_csv(out / "tables" / "classification.csv")
    columns = ["probability_cancer", "probability_control", "probability_lymphoma"]
    assert named[columns].sum(axis=1).tolist() == pytest.approx([1.0] * 18)
    assert set(pd.read_csv(out / "tables" / "classification_summary.csv")["class"]) == {"cancer", "control", "lymphoma"}
    assert (out / "tables" / "table_lymphoma.csv").is_file()
    # Whatever class is named, a map points at a lesion of a class that has any.
    for case_id in named["case_id"]:
        assert (case_folder(out, "proposed", case_id) / "cam_coronal.nii.gz").is_file()


def test_annotation_in_pixels_goes_into_the_manifest(tmp_path):
    manifest = write_pictures(tmp_path, cases=4)
    AnnotationSession(manifest).click("M00", Click(Plane.CORONAL, 50.2, 33.0), 0)
    assert pd.read_csv(manifest).set_index("case_id").loc["M00", "coronal_row"] == 50.0


def test_the_viewer_opens_a_study_of_pictures(study):
    results = ResultFolder(study)
    assert results.methods == list(METHODS)
    entry = next(entry for entry in results.entries("proposed") if entry["id"] == "M00")
    assert entry["label"] == "cancer"
    assert results.detail("proposed", "M00")["has_mips"]
    assert set(results.maps("proposed", "M00")) == {Plane.CORONAL}
    assert results.prediction("proposed", "M00") is None


def test_pixel_points_are_those_of_the_manifest(coronal, quick_2d, tmp_path):
    prepared = prepare_cohort(coronal, tmp_path, quick_2d.preparing())
    case = prepared.cases[0].case
    assert (
        case_pixels(case, prepared.cases[0].mips)[Plane.CORONAL].tolist() == case.pixel_points[Plane.CORONAL].tolist()
    )
    assert len(case.pixel_points[Plane.CORONAL]) == 2
