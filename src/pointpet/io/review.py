"""review.csv: what a reader says of predictions. One line a method and case; each change is on the disk at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pointpet.core import CohortError, OutputError
from pointpet.io.annotations import LONGEST_COMMENT, number_text, plain_comment, safe_comment
from pointpet.io.artefacts import acquire_lock, write_bytes
from pointpet.io.csv_cells import CsvText

REVIEW_NAME = "review.csv"
REVIEW_COLUMNS = ("method", "case_id", "verdict", "x_mm", "y_mm", "z_mm", "comment")

ONLY_METHOD = "prediction"
"""`method` where the prediction's record names none."""

_LOCK_WAIT_S = 2.0


class Verdict(StrEnum):
    """What a reader can say of a prediction."""

    NONE = ""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CORRECTED = "corrected"


@dataclass(frozen=True)
class Review:
    """One verdict.

    Args:
        point_mm: with `corrected`, the reader's point (world RAS+ mm), from which the corrected mask was grown.
        comment: free text.
    """

    verdict: Verdict = Verdict.NONE
    point_mm: tuple[float, float, float] | None = None
    comment: str = ""


def read_reviews(folder: Path) -> dict[tuple[str, str], Review]:
    """Every line of review.csv, by method and case id; empty where there is no file.

    Raises:
        CohortError: it cannot be read.
    """
    path = folder / REVIEW_NAME
    if not path.is_file():
        return {}
    found = {}
    for _, cells in _parse(path).rows():
        place = [cells.get(name, "") for name in ("x_mm", "y_mm", "z_mm")]
        try:
            verdict = Verdict(cells.get("verdict", ""))
            point = tuple(float(value) for value in place) if all(place) else None
        except ValueError as error:
            raise CohortError(
                "PP-REVIEW-VALUE", REVIEW_NAME, f"has a line that cannot be read ({error})", "Correct or remove it"
            ) from error
        key = (cells.get("method", ""), cells.get("case_id", ""))
        found[key] = Review(verdict, point, plain_comment(cells.get("comment", "")))  # type: ignore[arg-type]
    return found


def verdicts_given(folder: Path) -> frozenset[tuple[str, str]]:
    """Method and case id of each verdict.

    Raises:
        CohortError: review.csv cannot be read.
    """
    return frozenset(which for which, review in read_reviews(folder).items() if review.verdict)


def save_review(folder: Path, method: str, case_id: str, review: Review) -> None:
    """Write one verdict, whole or not at all; every other line keeps its bytes, also what another program wrote.

    Raises:
        CohortError: the comment is too long, or the file cannot be read.
        OutputError: it cannot be written.
    """
    if len(review.comment) > LONGEST_COMMENT:
        raise CohortError(
            "PP-ANNOTATE-COMMENT", f"case {case_id}", f"a comment has up to {LONGEST_COMMENT} letters", "Shorten it"
        )
    path = folder / REVIEW_NAME
    place = ["", "", ""] if review.point_mm is None else [number_text(value) for value in review.point_mm]
    cells = {
        "verdict": review.verdict.value,
        **dict(zip(("x_mm", "y_mm", "z_mm"), place, strict=True)),
        "comment": safe_comment(review.comment),
    }
    with _alone(path):
        table = _parse(path) if path.is_file() else CsvText(((REVIEW_COLUMNS, "\n"),))
        table = table.with_columns(REVIEW_COLUMNS)
        key = {"method": method, "case_id": case_id}
        index = next((i for i, known in table.rows() if all(known[name] == key[name] for name in key)), None)
        changed = table.with_row({**key, **cells}) if index is None else table.with_cells(index, cells)
        write_bytes(path, changed.render())


def withdraw_verdict(folder: Path, method: str, case_id: str) -> bool:
    """Take back a verdict whose prediction is made anew; what was said moves to the head of the comment.

    Returns:
        False where nobody had said anything of the prediction.

    Raises:
        CohortError: the file cannot be read. OutputError: it cannot be written.
    """
    known = read_reviews(folder).get((method, case_id), Review())
    if not known.verdict:
        return False
    place = "" if known.point_mm is None else f" at {', '.join(map(number_text, known.point_mm))} mm"
    said = f"[earlier prediction: {known.verdict.value}{place}] {known.comment}".rstrip()
    save_review(folder, method, case_id, Review(comment=said[:LONGEST_COMMENT]))
    return True


def _parse(path: Path) -> CsvText:
    try:
        return CsvText.parse(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(
            "PP-COHORT-READ", path.name, "is missing, or cannot be read as UTF-8 text", "Restore the file"
        ) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep another viewer out for the moment of one change."""
    lock, end = path.with_name(f".{path.name}.saving"), time.monotonic() + _LOCK_WAIT_S
    while (handle := acquire_lock(lock)) is None:
        if time.monotonic() > end:
            raise OutputError("PP-OUT-LOCKED", path.name, "is being written by another program", "Try again")
        time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)
