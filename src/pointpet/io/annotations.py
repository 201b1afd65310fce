"""What a person adds to a cohort: points, labels, comments. Each change is on the disk before it is confirmed.

Points and labels go into cohort.csv and points.csv, where training reads them; who is done, and comments, into
annotations.csv beside them, so that a comment never changes what a study calls its inputs.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pointpet.core import CohortError, OutputError, Plane
from pointpet.core.whole_file import atomic_path
from pointpet.io.artefacts import acquire_lock
from pointpet.io.cohort_cells import FORMULA_STARTS
from pointpet.io.cohort_csv import PIXELS, POINTS_NAME, WORLD
from pointpet.io.csv_cells import CsvText

ANNOTATIONS_NAME = "annotations.csv"
ANNOTATION_COLUMNS = ("case_id", "done", "seconds", "comment")

LONGEST_COMMENT = 2000
LONGEST_LABEL = 64
MOST_POINTS = 200
"""More than any patient's lesions that a person would click one by one."""

Point = tuple[float, ...]


@dataclass(frozen=True)
class Annotation:
    """What a person says of one case.

    Args:
        label: class name, "" where unknown.
        points_mm: (x, y, z) world RAS+ mm, the main lesion first.
        pixel_points: plane to (row, column), for ready-made pictures.
        done: accepted, whether or not it has a point.
        seconds: how long the case was on the screen until it was accepted; None where not known.
        comment: free text.
    """

    label: str = ""
    points_mm: tuple[Point, ...] = ()
    pixel_points: Mapping[Plane, tuple[Point, ...]] = field(default_factory=dict)
    done: bool = False
    seconds: float | None = None
    comment: str = ""

    @property
    def has_point(self) -> bool:
        """True where at least one lesion is marked."""
        return bool(self.points_mm) or any(self.pixel_points.values())


def read_annotations(cohort_path: Path) -> dict[str, tuple[bool, float | None, str]]:
    """Read annotations.csv beside the manifest: case id to (done, seconds, comment); empty where there is none."""
    path = cohort_path.parent / ANNOTATIONS_NAME
    if not path.is_file():
        return {}
    found = {}
    for _, cells in _parse(path).rows():
        seconds = cells.get("seconds", "")
        comment = plain_comment(cells.get("comment", ""))
        found[cells.get("case_id", "")] = (cells.get("done") == "1", float(seconds) if seconds else None, comment)
    return found


def save_annotation(cohort_path: Path, case_id: str, annotation: Annotation, before: Annotation) -> None:
    """Write what differs from `before` into cohort.csv, points.csv and annotations.csv, each whole or not at all.

    Every other cell keeps its bytes. What someone else changed in the files meanwhile is kept too, since they are read
    anew. A process killed between two files loses no point: the file that gains one is written first.

    Raises:
        CohortError: a label or a number of points that the manifest cannot hold, or the case is gone from it.
        OutputError: a file cannot be written.
    """
    _check(case_id, annotation)
    cohort_path = cohort_path.resolve()  # through a link, so that the link stays one
    further_path = cohort_path.parent / POINTS_NAME
    first, further = _point_cells(annotation)
    cells, points, grows = {}, None, False
    if annotation.label != before.label:
        cells["label"] = annotation.label
    if _point_cells(before) != (first, further):
        cells |= first
        points, grows = _with_further_points(further_path, case_id, further)
    cohort = _with_case_cells(cohort_path, case_id, cells)
    steps = [(cohort_path, cohort), (further_path, points)]
    for path, content in reversed(steps) if grows else steps:
        _write(path, content)
    _write(cohort_path.parent / ANNOTATIONS_NAME, _with_note(cohort_path.parent, case_id, annotation))


def _check(case_id: str, annotation: Annotation) -> None:
    """Refuse what the manifest's reader would refuse."""
    if annotation.label.startswith(FORMULA_STARTS) or annotation.label != annotation.label.strip():
        raise CohortError(
            "PP-ANNOTATE-LABEL", f"case {case_id}", "a label must not start as a formula does (= + - @)", "Rename it"
        )
    if len(annotation.label) > LONGEST_LABEL or not annotation.label.isprintable():
        raise CohortError(
            "PP-ANNOTATE-LABEL",
            f"case {case_id}",
            f"a label has one line of up to {LONGEST_LABEL} letters",
            "Shorten it",
        )
    if len(annotation.comment) > LONGEST_COMMENT:
        raise CohortError(
            "PP-ANNOTATE-COMMENT", f"case {case_id}", f"a comment has up to {LONGEST_COMMENT} letters", "Shorten it"
        )
    count = max(len(annotation.points_mm), *(len(points) for points in annotation.pixel_points.values()), 0)
    if count > MOST_POINTS:
        raise CohortError(
            "PP-ANNOTATE-POINTS", f"case {case_id}", f"holds up to {MOST_POINTS} points, got {count}", "Remove some"
        )


def _point_cells(annotation: Annotation) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Cells of the main point (blank ones where there is none), and of each further one."""
    columns = {WORLD: annotation.points_mm}
    columns |= {PIXELS[plane]: points for plane, points in annotation.pixel_points.items()}
    count = max((len(points) for points in columns.values()), default=0)
    rows: list[dict[str, str]] = []
    for number in range(max(count, 1)):
        row: dict[str, str] = {}
        for names, points in columns.items():
            values = [number_text(v) for v in points[number]] if number < len(points) else [""] * len(names)
            row |= dict(zip(names, values, strict=True))
        rows.append(row)
    return rows[0], rows[1:]


def number_text(value: float) -> str:
    """A coordinate as the CSV holds it: to a hundredth, without trailing zeros, never -0."""
    return f"{round(float(value), 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _with_case_cells(path: Path, case_id: str, cells: Mapping[str, str]) -> CsvText:
    table = _parse(path)
    table = table.with_columns([name for name, value in cells.items() if value])
    index, known = _row_of(table, case_id, path)
    return table.with_cells(index, _different(known, cells))


def _row_of(table: CsvText, case_id: str, path: Path) -> tuple[int, dict[str, str]]:
    for index, cells in table.rows():
        if cells.get("case_id") == case_id:
            return index, cells
    raise CohortError(
        "PP-ANNOTATE-GONE",
        f"case {case_id}",
        f"is no longer in {path.name}: the file was changed meanwhile",
        "Start `pointpet annotate` again",
    )


def _different(known: Mapping[str, str], cells: Mapping[str, str]) -> dict[str, str]:
    """The cells to write: those whose value differs; 12.50 stays where 12.5 is meant. Absent columns stay absent."""
    return {name: value for name, value in cells.items() if name in known and not _equal(known[name], value)}


def _equal(known: str, value: str) -> bool:
    if known == value:
        return True
    try:
        return round(float(known), 2) == float(value)
    except ValueError:
        return False


def _with_further_points(path: Path, case_id: str, further: Sequence[Mapping[str, str]]) -> tuple[CsvText | None, bool]:
    """points.csv with this case's rows replaced, and whether it gains one; None where there is nothing to write."""
    if not path.is_file() and not further:
        return None, False
    table = _parse(path) if path.is_file() else CsvText(((("case_id", *WORLD), "\n"),))
    table = table.with_columns([name for row in further for name, value in row.items() if value])
    present = [index for index, cells in table.rows() if cells.get("case_id") == case_id]
    known = dict(table.rows())
    for index, row in zip(present, further, strict=False):
        table = table.with_cells(index, _different(known[index], row))
    for row in further[len(present) :]:
        table = table.with_row({"case_id": case_id, **row})
    return table.without_rows(present[len(further) :]), len(further) > len(present)


def _with_note(folder: Path, case_id: str, annotation: Annotation) -> CsvText | None:
    """annotations.csv with this case's line; None where there is nothing to say and no file."""
    path = folder / ANNOTATIONS_NAME
    cells = {
        "done": "1" if annotation.done else "",
        "seconds": "" if annotation.seconds is None else f"{annotation.seconds:.1f}",
        "comment": safe_comment(annotation.comment),
    }
    if not path.is_file() and not any(cells.values()):
        return None
    table = _parse(path) if path.is_file() else CsvText(((ANNOTATION_COLUMNS, "\n"),))
    table = table.with_columns(ANNOTATION_COLUMNS)
    for index, known in table.rows():
        if known["case_id"] == case_id:
            return table.with_cells(index, cells)
    return table.with_row({"case_id": case_id, **cells}) if any(cells.values()) else table


def safe_comment(comment: str) -> str:
    """A comment that no spreadsheet runs: an apostrophe stands in front of one that looks like a formula."""
    return f"'{comment}" if comment.startswith(FORMULA_STARTS) else comment


def plain_comment(cell: str) -> str:
    """The comment that `safe_comment` made a cell of."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def _parse(path: Path) -> CsvText:
    try:
        return CsvText.parse(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(
            "PP-COHORT-READ", path.name, "is missing, or cannot be read as UTF-8 text", "Restore the file"
        ) from error


def _write(path: Path, table: CsvText | None) -> None:
    """Write the file where its content changes; its permissions stay."""
    if table is None:
        return
    content = table.render()
    if path.is_file() and path.read_bytes() == content:
        return
    with atomic_path(path) as part:
        part.write_bytes(content)
        if path.exists():
            shutil.copymode(path, part)


@contextmanager
def own_manifest(cohort_path: Path) -> Iterator[None]:
    """Be the one process that annotates this manifest.

    The operating system drops the lock with the process that holds it, so that a killed one blocks nobody.

    Raises:
        OutputError: another process annotates it (at once), or its folder cannot be written to.
    """
    cohort_path = cohort_path.resolve()
    path = cohort_path.with_name(f".{cohort_path.name}.annotating")
    try:
        handle = acquire_lock(path)
    except OSError as error:
        raise OutputError(
            "PP-OUT-WRITE", cohort_path.name, "its folder cannot be written to", "Check the folder's permissions"
        ) from error
    if handle is None:
        raise OutputError(
            "PP-ANNOTATE-LOCKED",
            cohort_path.name,
            f"is open in another `pointpet annotate`{_owner(path)}",
            "Use that page, or end it first; one program at a time saves to one file",
        )
    try:
        os.ftruncate(handle, 0)
        started = datetime.now(UTC).isoformat(timespec="minutes")
        os.pwrite(handle, json.dumps({"process": os.getpid(), "since": started}).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _owner(path: Path) -> str:
    """Who holds the lock, in words; nothing where it does not say."""
    try:
        known = json.loads(path.read_text())
        return f" (process {int(known['process'])}, since {datetime.fromisoformat(known['since']):%Y-%m-%d %H:%M} UTC)"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
