"""cohort.csv and points.csv: what is read, and every fault."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointpet.core import CohortError, Faults, Plane
from pointpet.io.cohort_csv import COLUMNS, read_cohort, write_cohort, write_points

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write cohort.csv (and points.csv) beside the files that its rows may name."""
    for name in ("a.nii.gz", "m.nii.gz", "c.png", "s.npy", "cm.png"):
        (tmp_path / name).touch()
    (tmp_path / "dicom").mkdir()

    def writer(text: str, points: str | None = None) -> Path:
        (tmp_path / "cohort.csv").write_text(text, encoding="utf-8")
        if points is not None:
            (tmp_path / "points.csv").write_text(points, encoding="utf-8")
        return tmp_path / "cohort.csv"

    return writer


def faults(path: Path) -> list[str]:
    with pytest.raises(Faults) as caught:
        read_cohort(path)
    assert str(path.parent) not in str(caught.value)
    return [f"[{fault.code}] {fault}" for fault in caught.value.faults]


def test_every_column_is_read(write: Write) -> None:
    path = write(
        "case_id,patient_id,site,pet,pet_units,label,x_mm,y_mm,z_mm,mask,outcome_response,outcome_survival3y,"
        "time_days,event,weight_kg,height_m,sex,dose_bq,injection_time,stage\n"
        "P-1,Q,Lyon,a.nii.gz,SUV,lung,1.5,-2,3e1,m.nii.gz,1,,400.5,0,70,1.7,f,3.5e8,10:15:00,-3\n"
        "P_2,,,dicom,,,,,,,0.0,1.0,,,,,,,,IIb\n"
    )
    cohort = read_cohort(path)
    one, two = cohort
    assert (one.case_id, one.patient_id, one.site, one.label) == ("P-1", "Q", "Lyon", "lung")
    assert (one.pet, one.pet_units, one.mask) == (path.parent / "a.nii.gz", "suv", path.parent / "m.nii.gz")
    assert one.points_mm.tolist() == [[1.5, -2.0, 30.0]]
    assert one.outcomes == {"response": 1, "survival3y": None}
    assert (one.time_days, one.event) == (400.5, 0)
    assert one.header == {
        "weight_kg": 70.0,
        "height_m": 1.7,
        "sex": "F",
        "dose_bq": 3.5e8,
        "injection_time": "10:15:00",
    }
    assert one.extra == {"stage": "-3"}
    assert (two.patient_id, two.site, two.label, two.pet_units) == ("P_2", None, None, None)
    assert two.pet == path.parent / "dicom"
    assert two.outcomes == {"response": 0, "survival3y": 1}
    assert two.points_mm.shape == (0, 3)
    assert not two.has_point
    assert two.header == {}
    assert two.extra == {"stage": "IIb"}


def test_ready_made_pictures(write: Write) -> None:
    path = write(
        "case_id,mip_coronal,mip_sagittal,pixel_mm,mip_scale,mip_inverted,coronal_row,coronal_col,mask_coronal\n"
        "a,c.png,s.npy,2.5,20,1,10,12.5,cm.png\n"
        "b,,s.npy,,,,,,\n"
    )
    one, two = read_cohort(path)
    assert one.mips == {Plane.CORONAL: path.parent / "c.png", Plane.SAGITTAL: path.parent / "s.npy"}
    assert (one.pixel_mm, one.mip_scale, one.mip_inverted) == (2.5, 20.0, True)
    assert one.pixel_points[Plane.CORONAL].tolist() == [[10.0, 12.5]]
    assert one.mip_masks == {Plane.CORONAL: path.parent / "cm.png"}
    assert one.has_point
    assert one.has_truth
    assert (two.pixel_mm, two.mip_scale, two.mip_inverted, two.pet) == (1.0, None, False, None)


def test_points_csv_adds_after_the_first(write: Write) -> None:
    path = write(
        "case_id,pet,x_mm,y_mm,z_mm\na,dicom,1,2,3\nb,dicom,,,\n",
        "case_id,x_mm,y_mm,z_mm\na,4,5,6\nb,7,8,9\na,-1,-2,-3\n",
    )
    one, two = read_cohort(path)
    assert one.points_mm.tolist() == [[1, 2, 3], [4, 5, 6], [-1, -2, -3]]
    assert two.points_mm.tolist() == [[7, 8, 9]]


def test_points_csv_in_pixels(write: Write) -> None:
    path = write(
        "case_id,mip_coronal,mip_scale,coronal_row,coronal_col\na,c.png,10,1,2\n",
        "case_id,coronal_row,coronal_col\na,3,4\n",
    )
    assert read_cohort(path)["a"].pixel_points[Plane.CORONAL].tolist() == [[1, 2], [3, 4]]


def test_byte_order_mark_blank_lines_and_quoted_lines(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "cohort.csv"
    write("")
    path.write_bytes('\ufeffcase_id,pet,"note"\r\n\r\na,dicom,"one,\ntwo"\r\n,,\r\nb,dicom,\r\n'.encode())
    cohort = read_cohort(path)
    assert [case.case_id for case in cohort] == ["a", "b"]
    assert cohort["a"].extra == {"note": "one,\ntwo"}


def test_absolute_paths_and_paths_above_are_taken_as_they_are(write: Write, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = write(f"case_id,pet\na,{tmp_path / 'dicom'}\nb,sub/../dicom\n")
    one, two = read_cohort(path)
    assert one.pet == tmp_path / "dicom"
    assert two.pet is not None
    assert two.pet.resolve() == (tmp_path / "dicom").resolve()


def test_digest_follows_both_files(write: Write) -> None:
    first = read_cohort(write("case_id,pet\na,dicom\n")).digest
    assert first == read_cohort(write("case_id,pet\na,dicom\n")).digest
    assert len(first) == 64
    second = read_cohort(write("case_id,pet\nb,dicom\n")).digest
    third = read_cohort(write("case_id,pet\nb,dicom\n", "case_id,x_mm,y_mm,z_mm\nb,1,2,3\n")).digest
    assert len({first, second, third}) == 3


def test_files_need_not_exist_when_only_the_table_is_judged(write: Write) -> None:
    path = write("case_id,pet,pet_units\na,absent.nii.gz,suv\n")
    assert read_cohort(path, require_files=False)["a"].pet == path.parent / "absent.nii.gz"


HEADER = (
    "case_id,patient_id,pet,pet_units,label,x_mm,y_mm,z_mm,mask,outcome_r,time_days,event,weight_kg,sex,note,"
    "mip_coronal,mip_sagittal,pixel_mm,mip_scale,mip_inverted,coronal_row,coronal_col,mask_coronal,mask_resample,mask_roi"
)
GOOD = {"case_id": "a", "pet": "dicom"}
PICTURE = {"case_id": "a", "mip_sagittal": "s.npy"}


def row(base: dict[str, str], **cells: str) -> str:
    return HEADER + "\n" + ",".join({**base, **cells}.get(name, "") for name in HEADER.split(",")) + "\n"


ONE_FAULT = [
    (row(GOOD, case_id=""), r"\[PP-COHORT-ID\] cohort.csv row 2: case_id must be 1 to 64 .*, got a blank cell"),
    (row(GOOD, case_id="../x"), r"\[PP-COHORT-ID\] .* got '\.\./x'\. Rename the case"),
    (row(GOOD, case_id="-x"), r"\[PP-COHORT-ID\] .*the first no '-', got '-x'"),
    (row(GOOD) + "a,,dicom\n", r"\[PP-COHORT-DUPLICATE\] cohort.csv row 3 \(case a\): .* row 2 has it too, got 'a'"),
    (row(GOOD, pet=""), r"\[PP-COHORT-PET\] cohort.csv row 2 \(case a\): pet is missing, got a blank cell"),
    (row(GOOD, mip_sagittal="s.npy"), r"\[PP-COHORT-PET\] .* pet excludes mip_sagittal, got 'dicom'"),
    (row(GOOD, pet="x/no.nii", pet_units="suv"), r"\[PP-COHORT-PATH\] .* pet does not exist, got 'no.nii'"),
    (row(GOOD, pet="a.nii.gz"), r"\[PP-COHORT-UNITS\] .* pet_units is required for a NIfTI file, got a blank cell"),
    (row(GOOD, pet_units="kBq"), r"\[PP-COHORT-CHOICE\] .* pet_units must be one of suv, bqml, got 'kBq'"),
    (row(GOOD, sex="w"), r"\[PP-COHORT-CHOICE\] .* sex must be one of M, F, O, got 'w'"),
    (row(GOOD, mask="no.nii.gz"), r"\[PP-COHORT-PATH\] .* mask does not exist, got 'no.nii.gz'"),
    (
        row(GOOD, weight_kg='"70,5"'),
        r"\[PP-COHORT-NUMBER\] .* weight_kg must be a number, got '70,5'\. .*decimal point",
    ),
    (row(GOOD, weight_kg="70 kg"), r"\[PP-COHORT-NUMBER\] .* weight_kg must be a number, got '70 kg'"),
    (row(GOOD, weight_kg="0"), r"\[PP-COHORT-NUMBER\] .* weight_kg must be over 0, got '0'"),
    (row(GOOD, weight_kg="nan"), r"\[PP-COHORT-NUMBER\] .* weight_kg must be a finite number, got 'nan'"),
    (row(GOOD, weight_kg="=70"), r"\[PP-COHORT-FORMULA\] .* weight_kg must be a number, got '=70'\. Write the number"),
    (row(GOOD, outcome_r="2"), r"\[PP-COHORT-BINARY\] .* outcome_r must be 0 or 1, got '2'"),
    (row(GOOD, outcome_r="yes"), r"\[PP-COHORT-BINARY\] .* outcome_r must be 0 or 1, got 'yes'"),
    (row(GOOD, time_days="5"), r"\[PP-COHORT-SURVIVAL\] .* event is needed beside time_days, got a blank cell"),
    (
        row(GOOD, mask_resample="1"),
        r"\[PP-COHORT-MASK\] .* mask_resample needs a NIfTI mask, got '1'",
    ),
    (row(GOOD, mask_roi="GTV"), r"\[PP-COHORT-MASK\] .* mask_roi needs an RTSTRUCT or a DICOM SEG as mask, got 'GTV'"),
    (row(GOOD, event="1"), r"\[PP-COHORT-SURVIVAL\] .* time_days is needed beside event"),
    (row(GOOD, event="1", time_days="-1"), r"\[PP-COHORT-NUMBER\] .* time_days must be 0 or more, got '-1'"),
    (row(GOOD, x_mm="1", z_mm="2"), r"\[PP-COHORT-PARTIAL\] .* x_mm needs y_mm beside it, got '1'"),
    (row(GOOD, label="=cmd()"), r"\[PP-COHORT-FORMULA\] .* label must not start as a formula .* got '=cmd\(\)'"),
    (row(GOOD, label="@x"), r"\[PP-COHORT-FORMULA\] .* label"),
    (row(GOOD, label="+x"), r"\[PP-COHORT-FORMULA\] .* label"),
    (row(GOOD, note="-x"), r"\[PP-COHORT-FORMULA\] .* note"),
    (
        row(GOOD, patient_id="=Doe"),
        r"\[PP-COHORT-FORMULA\] .* patient_id must not start as a formula does \(= \+ - @\)\. ",
    ),
    (row(GOOD, pet="=x"), r"\[PP-COHORT-FORMULA\] .* pet"),
    (row(GOOD, coronal_row="1", coronal_col="2"), r"\[PP-COHORT-POINT\] .* coronal_row needs mip_coronal, got '1'"),
    (row(GOOD, pixel_mm="2"), r"\[PP-COHORT-PICTURE\] .* pixel_mm needs a ready-made picture, got '2'"),
    (row(GOOD, mask_coronal="cm.png"), r"\[PP-COHORT-PICTURE\] .* mask_coronal needs a ready-made picture"),
    (row(PICTURE, mask_coronal="cm.png"), r"\[PP-COHORT-PICTURE\] .* mask_coronal needs mip_coronal"),
    (row(PICTURE, mask="m.nii.gz"), r"\[PP-COHORT-PICTURE\] .* mask is of no use with ready-made pictures"),
    (row(PICTURE, mip_inverted="1"), r"\[PP-COHORT-PICTURE\] .* mip_scale is required for an inverted NPY"),
    (row(PICTURE, mip_coronal="c.jpg", mip_scale="1"), r"\[PP-COHORT-PATH\] .* must end in .png or .npy, got 'c.jpg'"),
    (row(PICTURE, x_mm="1", y_mm="2", z_mm="3"), r"\[PP-COHORT-POINT\] .* x_mm is of no use with ready-made pictures"),
    (row(PICTURE, pixel_mm="0"), r"\[PP-COHORT-NUMBER\] .* pixel_mm must be over 0, got '0'"),
    (
        row(PICTURE, mip_coronal="c.png", mip_scale="1", coronal_row="-1", coronal_col="0"),
        r"\[PP-COHORT-NUMBER\] .* coronal_row must be 0 or more, got '-1'",
    ),
    (
        row(PICTURE, mip_coronal="c.png", mip_scale="1", coronal_row="1"),
        r"\[PP-COHORT-PARTIAL\] .* coronal_row needs coronal_col beside it",
    ),
    (
        row(GOOD) + "b,,dicom" + "," * 30 + "x\n",
        r"\[PP-COHORT-CELLS\] cohort.csv row 3: has 33 cells, the header has 25",
    ),
]


@pytest.mark.parametrize(("text", "expected"), ONE_FAULT, ids=[re.sub(r"\W+", "_", e)[:60] for _, e in ONE_FAULT])
def test_one_fault_is_one_line_with_row_column_value_and_remedy(write: Write, text: str, expected: str) -> None:
    found = faults(write(text))
    assert len(found) == 1, found
    assert re.search(expected, found[0]), found[0]


def test_all_faults_are_reported_at_once(write: Write) -> None:
    path = write(
        "case_id,pet,label,x_mm,y_mm,z_mm,outcome_r\na,absent,lung,1,2,,3\na b,dicom,=x,,,,\nc,,,1,x,3,1\n",
        "case_id,x_mm,y_mm,z_mm\nzz,1,2,3\na,,,\n",
    )
    codes = [line.split("]")[0].removeprefix("[PP-COHORT-") for line in faults(path)]
    assert sorted(codes) == sorted(["PATH", "PARTIAL", "BINARY", "ID", "FORMULA", "PET", "NUMBER", "UNKNOWN", "POINT"])


POINT_FAULTS = [
    ("zz,1,2,3,,\n", r"\[PP-COHORT-UNKNOWN\] points.csv row 2 \(case zz\): case_id must be a case of cohort.csv"),
    ("a,,,,,\na,1,2,3,,\n", None),
    ("a,1,2,,,\n", r"\[PP-COHORT-PARTIAL\] points.csv row 2 \(case a\): x_mm needs z_mm beside it"),
    ("a,1,2,=3,,\n", r"\[PP-COHORT-FORMULA\] points.csv row 2 \(case a\): z_mm must be a number, got '=3'"),
    ("a,,,,1,2\n", r"\[PP-COHORT-POINT\] .* coronal_row needs mip_coronal"),
    ("p,1,2,3,,\n", r"\[PP-COHORT-POINT\] .* x_mm is of no use with ready-made pictures"),
]


@pytest.mark.parametrize(("points", "expected"), POINT_FAULTS)
def test_faults_of_points_csv(write: Write, points: str, expected: str | None) -> None:
    path = write(
        "case_id,pet,mip_sagittal\na,dicom,\np,,s.npy\n", "case_id,x_mm,y_mm,z_mm,coronal_row,coronal_col\n" + points
    )
    found = faults(path)
    assert len(found) == 1
    assert re.search(expected or r"\[PP-COHORT-POINT\] .* case_id needs a point in its row, got 'a'", found[0]), found


WHOLE_FILE = [
    (None, "PP-COHORT-READ", "cohort.csv: is missing or cannot be read"),
    (b"", "PP-COHORT-EMPTY", "has no header line"),
    (b"case_id,pet\n\n", "PP-COHORT-EMPTY", "has no cases"),
    (b"id,pet\na,b\n", "PP-COHORT-COLUMN", "has no column case_id, which is required, got: id, pet. Rename"),
    (b"case_id,pet,pet\na,b,c\n", "PP-COHORT-COLUMN", "each column must stand once, repeated: pet"),
    (b"case_id,,,pet\na,b,c,d\n", "PP-COHORT-COLUMN", r"repeated: \(blank\)"),
    (b"case_id;pet\na;b\n", "PP-COHORT-CSV", "must be separated by commas, got semicolons"),
    ("case_id,pet\nä,b\n".encode("latin-1"), "PP-COHORT-ENCODING", "must be UTF-8, byte 12 is not"),
    ("case_id,pet\na,b\n".encode("utf-16"), "PP-COHORT-ENCODING", "must be UTF-8, byte 0 is not"),
    (b"case_id,pet\na," + b"x" * 200_000 + b"\n", "PP-COHORT-CSV", "is no valid CSV"),
]


def test_a_missing_column_of_scans_is_missed_once_and_named_with_what_there_is(write: Write) -> None:
    found = faults(write("case_id,PET,class\na,dicom,lung\nb,dicom,lung\n"))
    assert found == [
        "[PP-COHORT-COLUMN] cohort.csv: has no column pet (nor mip_coronal, mip_sagittal), "
        "got: case_id, PET (meant for pet?), class. Rename the column that names the scans, or add it."
    ]


@pytest.mark.parametrize(("content", "code", "message"), WHOLE_FILE)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes | None, code: str, message: str) -> None:
    path = tmp_path / "cohort.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CohortError, match=message) as caught:
        read_cohort(path)
    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)


def test_trailing_empty_columns_of_a_spreadsheet_are_ignored(write: Write) -> None:
    path = write("case_id,pet,,\na,dicom,,\n")
    assert read_cohort(path)["a"].extra == {}


def test_written_cohort_reads_back(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.nii.gz").touch()
    write_cohort(
        tmp_path / "cohort.csv",
        [
            {"note": "n", "pet": tmp_path / "images" / "a.nii.gz", "case_id": "a", "pet_units": "suv", "x_mm": 1.25},
            {"case_id": "b", "pet": "images", "outcome_r": 1, "y_mm": None, "event": 1, "time_days": 3.5},
        ],
    )
    header = (tmp_path / "cohort.csv").read_text().splitlines()[0]
    assert header == "case_id,pet,pet_units,x_mm,y_mm,outcome_r,time_days,event,note"
    assert "a,images/a.nii.gz,suv,1.25,,,,,n" in (tmp_path / "cohort.csv").read_text()
    with pytest.raises(Faults, match="needs y_mm, z_mm beside it"):
        read_cohort(tmp_path / "cohort.csv")


def test_written_points_read_back(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    write_cohort(tmp_path / "cohort.csv", [{"case_id": "a", "pet": "d"}])
    write_points(tmp_path / "points.csv", [{"case_id": "a", "x_mm": 0.1, "y_mm": 2, "z_mm": -3}])
    assert (tmp_path / "points.csv").read_text() == "case_id,x_mm,y_mm,z_mm\na,0.1,2,-3\n"
    assert np.array_equal(read_cohort(tmp_path / "cohort.csv")["a"].points_mm, [[0.1, 2, -3]])


def test_a_path_elsewhere_is_written_whole(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    write_cohort(tmp_path / "c" / "cohort.csv", [{"case_id": "a", "pet": tmp_path / "d"}])
    assert (tmp_path / "c" / "cohort.csv").read_text().splitlines()[1] == f"a,{(tmp_path / 'd').as_posix()}"


def test_five_thousand_rows_are_read_quickly(tmp_path: Path) -> None:
    rows = "".join(f"P{i:05d},p.nii.gz,suv,lung,1,2,3\n" for i in range(5000))
    (tmp_path / "cohort.csv").write_text("case_id,pet,pet_units,label,x_mm,y_mm,z_mm\n" + rows)
    (tmp_path / "p.nii.gz").touch()
    assert len(read_cohort(tmp_path / "cohort.csv")) == 5000


def test_column_order_is_the_documented_one() -> None:
    assert COLUMNS[:10] == (
        "case_id", "patient_id", "site", "pet", "pet_units", "label", "x_mm", "y_mm", "z_mm", "mask",
    )  # fmt: skip
    assert len(COLUMNS) == len(set(COLUMNS)) == 31
