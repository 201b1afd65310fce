"""Points, labels and comments reach the files, and nothing else in them changes."""

import csv
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pointpet.core import CohortError, OutputError, Plane
from pointpet.io.annotations import (
    ANNOTATION_COLUMNS,
    LONGEST_COMMENT,
    MOST_POINTS,
    Annotation,
    number_text,
    own_manifest,
    read_annotations,
    save_annotation,
)
from pointpet.io.cohort_csv import read_cohort

COHORT = (
    "case_id,pet,pet_units,ward,x_mm,y_mm,z_mm\r\n"
    'A,a.nii.gz,suv,"3, north",1.50,2,-3.0\r\n'
    "B,b.nii.gz,suv,007,,,\r\n"
)  # fmt: skip
EMPTY = Annotation()


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    path = tmp_path / "cohort.csv"
    path.write_bytes(COHORT.encode())
    return path


def test_a_point_is_written_into_its_cells_alone(cohort: Path):
    save_annotation(cohort, "B", Annotation(points_mm=((12.345, -0.001, 100.0),)), EMPTY)
    assert cohort.read_bytes() == COHORT.replace("B,b.nii.gz,suv,007,,,", "B,b.nii.gz,suv,007,12.35,0,100").encode()
    assert sorted(os.listdir(cohort.parent)) == ["cohort.csv"]


def test_a_number_that_is_right_already_keeps_its_spelling(cohort: Path):
    before = Annotation(points_mm=((1.5, 2.0, -3.0),))
    save_annotation(cohort, "A", replace(before, points_mm=((1.5, 2.0, 7.0),)), before)
    assert cohort.read_bytes() == COHORT.replace("1.50,2,-3.0", "1.50,2,7").encode()


def test_missing_columns_are_added(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text("case_id,pet,pet_units\nA,a.nii,suv\nB,b.nii,suv\n")
    save_annotation(path, "B", Annotation(label="lung", points_mm=((1, 2, 3),)), EMPTY)
    assert path.read_text() == "case_id,pet,pet_units,label,x_mm,y_mm,z_mm\nA,a.nii,suv\nB,b.nii,suv,lung,1,2,3\n"
    assert read_cohort(path, require_files=False)["B"].label == "lung"


def test_further_lesions_go_to_points_csv_and_come_back(cohort: Path):
    points = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.5))
    save_annotation(cohort, "B", Annotation(points_mm=points), EMPTY)
    assert (cohort.parent / "points.csv").read_text() == "case_id,x_mm,y_mm,z_mm\nB,4,5,6\nB,7,8,9.5\n"
    assert read_cohort(cohort, require_files=False)["B"].points_mm.tolist() == [list(p) for p in points]


def test_rows_of_other_cases_in_points_csv_stay(cohort: Path):
    further = cohort.parent / "points.csv"
    further.write_text("case_id,x_mm,y_mm,z_mm,who\nA,1.0,1.0,1.0,me\nB,4,5,6,you\nB,7,8,9,you\n")
    before = Annotation(points_mm=((1, 2, 3), (4, 5, 6), (7, 8, 9)))
    save_annotation(cohort, "B", replace(before, points_mm=((1, 2, 3), (4, 5, 60))), before)
    assert further.read_text() == "case_id,x_mm,y_mm,z_mm,who\nA,1.0,1.0,1.0,me\nB,4,5,60,you\n"


def test_the_last_point_can_be_taken_back(cohort: Path):
    before = Annotation(points_mm=((1.5, 2.0, -3.0),))
    save_annotation(cohort, "A", EMPTY, before)
    assert b'"3, north",,,\r\n' in cohort.read_bytes()


def test_pixels_of_ready_made_pictures_have_their_own_columns(tmp_path: Path):
    path = tmp_path / "cohort.csv"
    path.write_text("case_id,mip_coronal,mip_scale\nA,a.png,10\n")
    save_annotation(path, "A", Annotation(pixel_points={Plane.CORONAL: ((12.0, 7.0),)}), EMPTY)
    assert path.read_text() == "case_id,mip_coronal,mip_scale,coronal_row,coronal_col\nA,a.png,10,12,7\n"


def test_what_someone_else_changed_meanwhile_is_kept(cohort: Path):
    save_annotation(cohort, "B", Annotation(points_mm=((1, 2, 3),)), EMPTY)
    cohort.write_bytes(cohort.read_bytes().replace(b"007", b"008") + b"C,c.nii,suv,,,,\r\n")
    before = Annotation(points_mm=((1, 2, 3),))
    save_annotation(cohort, "B", replace(before, points_mm=((1, 2, 4),)), before)
    rows = list(csv.DictReader(cohort.read_text().splitlines()))
    assert [row["case_id"] for row in rows] == ["A", "B", "C"]
    assert (rows[1]["ward"], rows[1]["z_mm"]) == ("008", "4")


def test_done_seconds_and_comment_stand_beside_the_manifest(cohort: Path):
    said = Annotation(done=True, seconds=4.26, comment='-1 rib, "old"\nfracture')
    save_annotation(cohort, "A", said, EMPTY)
    assert cohort.read_bytes() == COHORT.encode()
    assert read_annotations(cohort) == {"A": (True, 4.3, said.comment)}
    assert (cohort.parent / "annotations.csv").read_text() == (
        'case_id,done,seconds,comment\nA,1,4.3,"\'-1 rib, ""old""\nfracture"\n'
    )


def test_no_annotations_file_means_nothing_was_said(cohort: Path):
    assert read_annotations(cohort) == {}


def test_permissions_and_links_survive(cohort: Path, tmp_path: Path):
    cohort.chmod(0o640)
    link = tmp_path / "linked" / "mine.csv"
    link.parent.mkdir()
    link.symlink_to(cohort)
    save_annotation(link, "B", Annotation(points_mm=((1, 2, 3),)), EMPTY)
    assert link.is_symlink()
    assert stat.S_IMODE(cohort.stat().st_mode) == 0o640
    assert b"007,1,2,3" in cohort.read_bytes()


def test_a_killed_save_loses_no_point(cohort: Path, monkeypatch: pytest.MonkeyPatch):
    """Going from three points to one, cohort.csv is written first; from one to three, points.csv is."""
    import pointpet.io.annotations as module

    written = []
    real = module._write
    monkeypatch.setattr(module, "_write", lambda path, table: (written.append(path.name), real(path, table)))
    one, three = Annotation(points_mm=((1, 2, 3),)), Annotation(points_mm=((9, 9, 9), (1, 2, 3), (4, 5, 6)))
    save_annotation(cohort, "B", three, one)
    save_annotation(cohort, "B", one, three)
    assert written == ["points.csv", "cohort.csv", "annotations.csv", "cohort.csv", "points.csv", "annotations.csv"]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Annotation(label="=1+1"), "must not start as a formula does"),
        (Annotation(label="x" * 65), "one line of up to 64 letters"),
        (Annotation(label="two\nlines"), "one line of up to 64 letters"),
        (Annotation(comment="x" * (LONGEST_COMMENT + 1)), "a comment has up to 2000 letters"),
        (Annotation(points_mm=((1, 2, 3),) * (MOST_POINTS + 1)), "holds up to 200 points, got 201"),
    ],
)
def test_what_the_manifest_cannot_hold_is_refused(cohort: Path, annotation: Annotation, message: str):
    with pytest.raises(CohortError, match=message):
        save_annotation(cohort, "B", annotation, EMPTY)
    assert cohort.read_bytes() == COHORT.encode()


def test_a_case_that_is_gone_is_named(cohort: Path):
    with pytest.raises(CohortError, match=r"case C: is no longer in cohort\.csv"):
        save_annotation(cohort, "C", Annotation(label="lung"), EMPTY)


def test_a_manifest_that_is_gone_is_named(cohort: Path):
    cohort.unlink()
    with pytest.raises(CohortError, match=r"cohort\.csv: is missing, or cannot be read"):
        save_annotation(cohort, "A", Annotation(label="lung"), EMPTY)


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (1.5, "1.5"), (-0.001, "0"), (-12.345, "-12.35"), (1e-9, "0")])
def test_numbers_are_short(value: float, text: str):
    assert number_text(value) == text


HOLD = """
import sys, time
from pathlib import Path
from pointpet.io.annotations import own_manifest
with own_manifest(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_a_second_program_is_told_and_a_killed_one_blocks_nobody(cohort: Path):
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(cohort)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        with (
            pytest.raises(OutputError, match=rf"open in another `pointpet annotate` \(process {first.pid}, since"),
            own_manifest(cohort),
        ):
            pass
    finally:
        first.kill()
        first.wait()
    with own_manifest(cohort):
        pass
    assert sorted(os.listdir(cohort.parent)) == ["cohort.csv"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path):
    with (
        pytest.raises(OutputError, match=r"cohort\.csv: its folder cannot be written to"),
        own_manifest(tmp_path / "missing" / "cohort.csv"),
    ):
        pass


def test_the_documented_columns_are_those_written():
    document = (Path(__file__).parents[2] / "docs" / "file-formats.md").read_text(encoding="utf-8")
    section = document.split("## annotations.csv\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert tuple(name.strip(" `") for cell in cells for name in cell.split(",")) == ANNOTATION_COLUMNS
