"""Verdicts on predictions."""

import os
from pathlib import Path

import pytest

from pointpet.core import CohortError, OutputError
from pointpet.io import review as module
from pointpet.io.annotations import LONGEST_COMMENT
from pointpet.io.artefacts import acquire_lock
from pointpet.io.review import (
    REVIEW_COLUMNS,
    Review,
    Verdict,
    read_reviews,
    save_review,
    verdicts_given,
    withdraw_verdict,
)


def test_a_verdict_is_written_and_read_back(tmp_path: Path):
    said = Review(Verdict.CORRECTED, (1.25, -2.0, 3.0), "=too far, left")
    save_review(tmp_path, "proposed", "A", said)
    assert (tmp_path / "review.csv").read_text() == (
        'method,case_id,verdict,x_mm,y_mm,z_mm,comment\nproposed,A,corrected,1.25,-2,3,"\'=too far, left"\n'
    )
    assert read_reviews(tmp_path) == {("proposed", "A"): said}
    assert os.listdir(tmp_path) == ["review.csv"]


def test_one_line_a_method_and_case_and_others_stay(tmp_path: Path):
    path = tmp_path / "review.csv"
    path.write_text("method,case_id,verdict,x_mm,y_mm,z_mm,comment,who\r\nsuv40,A,rejected,,,,,  me\r\n")
    save_review(tmp_path, "proposed", "A", Review(Verdict.ACCEPTED))
    save_review(tmp_path, "proposed", "A", Review(Verdict.REJECTED))
    assert path.read_bytes() == (
        b"method,case_id,verdict,x_mm,y_mm,z_mm,comment,who\r\n"
        b"suv40,A,rejected,,,,,  me\r\nproposed,A,rejected,,,,,\r\n"
    )


def test_no_file_no_verdicts(tmp_path: Path):
    assert read_reviews(tmp_path) == {}


@pytest.mark.parametrize("line", ["p,A,perhaps,,,,", "p,A,corrected,1,2,up,"])
def test_a_line_that_cannot_be_read_is_refused(tmp_path: Path, line: str):
    (tmp_path / "review.csv").write_text(f"method,case_id,verdict,x_mm,y_mm,z_mm,comment\n{line}\n")
    with pytest.raises(CohortError, match=r"review\.csv: has a line that cannot be read"):
        read_reviews(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "review.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CohortError, match=r"review\.csv: is missing, or cannot be read as UTF-8"):
        read_reviews(tmp_path)


def test_a_comment_has_a_limit(tmp_path: Path):
    with pytest.raises(CohortError, match="case A: a comment has up to 2000 letters"):
        save_review(tmp_path, "p", "A", Review(comment="x" * 2001))


def test_another_program_that_writes_for_long_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LOCK_WAIT_S", 0.05)
    handle = acquire_lock(tmp_path / ".review.csv.saving")
    assert handle is not None
    with pytest.raises(OutputError, match=r"review\.csv: is being written by another program"):
        save_review(tmp_path, "p", "A", Review(Verdict.ACCEPTED))
    os.close(handle)
    save_review(tmp_path, "p", "A", Review(Verdict.ACCEPTED))


def test_the_documented_columns_are_those_written():
    document = (Path(__file__).parents[2] / "docs" / "file-formats.md").read_text(encoding="utf-8")
    section = document.split("## review.csv\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert tuple(name.strip(" `") for cell in cells for name in cell.split(",")) == REVIEW_COLUMNS


def test_a_verdict_is_withdrawn_into_the_comment(tmp_path):
    save_review(tmp_path, "p", "A", Review(Verdict.CORRECTED, (1.0, -2.5, 3.0), "hot bladder"))
    save_review(tmp_path, "p", "B", Review(Verdict.ACCEPTED))
    save_review(tmp_path, "p", "C", Review(comment="look again"))
    assert verdicts_given(tmp_path) == {("p", "A"), ("p", "B")}
    assert [withdraw_verdict(tmp_path, "p", name) for name in "ABCD"] == [True, True, False, False]
    assert not verdicts_given(tmp_path)
    assert read_reviews(tmp_path) == {
        ("p", "A"): Review(comment="[earlier prediction: corrected at 1, -2.5, 3 mm] hot bladder"),
        ("p", "B"): Review(comment="[earlier prediction: accepted]"),
        ("p", "C"): Review(comment="look again"),
    }


def test_a_comment_of_the_longest_kind_survives_a_withdrawal(tmp_path):
    save_review(tmp_path, "p", "A", Review(Verdict.REJECTED, comment="x" * LONGEST_COMMENT))
    assert withdraw_verdict(tmp_path, "p", "A")
    (review,) = read_reviews(tmp_path).values()
    assert review.comment.startswith("[earlier prediction: rejected] xxx")
    assert len(review.comment) == LONGEST_COMMENT
