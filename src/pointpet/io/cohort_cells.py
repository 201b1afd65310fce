"""Cells of cohort.csv and points.csv: each is read or becomes a fault that names its row, column, value and remedy."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pointpet.core import CohortError, PointpetError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that starts so (OWASP, CSV injection)."""

_TRUE_FALSE = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
"""pandas writes whole numbers as 0.0 and 1.0 once a column has a blank cell."""

_SECRET = frozenset({"patient_id"})
"""Columns whose content is not repeated in a message: it may be a name."""


@dataclass
class Table:
    """A CSV file as text, and the faults found in it so far.

    Args:
        name: the file's bare name.
        folder: where relative paths start.
        columns: the header's names, in order.
        rows: one a line.
        faults: everything wrong, in the order found.
    """

    name: str
    folder: Path
    columns: list[str]
    rows: list[Row]
    faults: list[PointpetError] = field(default_factory=list)

    def fault(self, code: str, subject: str, problem: str, remedy: str) -> None:
        """Note a fault and go on."""
        self.faults.append(CohortError(f"PP-COHORT-{code}", subject, problem, remedy))


@dataclass
class Row:
    """One line: its number as a spreadsheet shows it (the header is 1), and its cells, stripped."""

    number: int
    cells: Mapping[str, str]
    table: Table = field(repr=False)

    @property
    def subject(self) -> str:
        """How a message names the row."""
        case_id = self.cells.get("case_id", "")
        named = f" (case {case_id})" if case_id and not case_id.startswith(FORMULA_STARTS) else ""
        return f"{self.table.name} row {self.number}{named}"

    def fault(self, code: str, column: str, requirement: str, remedy: str) -> None:
        """Note that `column` breaks `requirement`, with the value received."""
        value = self.cells.get(column, "")
        shown = "" if column in _SECRET else f", got {_short(value)}" if value else ", got a blank cell"
        self.table.fault(code, self.subject, f"{column} {requirement}{shown}", remedy)

    def given(self, columns: Iterable[str]) -> list[str]:
        """Those of `columns` that are not blank here."""
        return [column for column in columns if self.cells.get(column)]

    def text(self, column: str, *, or_number: bool = False) -> str | None:
        """A text cell; None where blank. A formula is a fault; a negative number only where `or_number` allows it."""
        value = self.cells.get(column, "")
        if not value:
            return None
        if value.startswith(FORMULA_STARTS) and not (or_number and _is_number(value)):
            self.fault("FORMULA", column, "must not start as a formula does (= + - @)", "Write plain text")
            return None
        return value

    def number_in(self, column: str, *, over: float | None = None, at_least: float | None = None) -> float | None:
        """A number, finite and within the limit; None where blank."""
        value = self.cells.get(column, "")
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            formula = value.startswith(FORMULA_STARTS)
            remedy = "Write the number itself" if formula else "Write it with a decimal point and without a unit"
            self.fault("FORMULA" if formula else "NUMBER", column, "must be a number", remedy)
            return None
        if not math.isfinite(number):
            self.fault("NUMBER", column, "must be a finite number", "Correct it, or leave it blank")
        elif over is not None and not number > over:
            self.fault("NUMBER", column, f"must be over {over:g}", "Correct it, or leave it blank")
        elif at_least is not None and number < at_least:
            self.fault("NUMBER", column, f"must be {at_least:g} or more", "Correct it, or leave it blank")
        else:
            return number
        return None

    def binary(self, column: str) -> int | None:
        """0 or 1; None where blank."""
        value = self.cells.get(column, "")
        if value and value not in _TRUE_FALSE:
            self.fault("BINARY", column, "must be 0 or 1", "Write 0 or 1, or leave it blank where unknown")
        return _TRUE_FALSE.get(value)

    def choice(self, column: str, choices: tuple[str, ...]) -> str | None:
        """One of `choices`, in any case; None where blank."""
        value = self.cells.get(column, "")
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        if value:
            self.fault("CHOICE", column, f"must be one of {', '.join(choices)}", "Write one of them")
        return None

    def path(self, column: str, *, require: bool, endings: tuple[str, ...] = ()) -> Path | None:
        """A path, relative to the table's folder; None where blank."""
        value = self.text(column)
        if value is None:
            return None
        if endings and not value.lower().endswith(endings):
            self._path_fault("PATH", column, value, f"must end in {' or '.join(endings)}", "Convert the file")
            return None
        path = self.table.folder / value
        if require and not path.exists():
            self._path_fault("PATH", column, value, "does not exist", "Correct the path; it starts at the CSV's folder")
            return None
        return path

    def _path_fault(self, code: str, column: str, value: str, problem: str, remedy: str) -> None:
        # A file by its bare name; a folder not at all: archives name folders after patients.
        name = value.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        shown = f", got {_short(name)}" if "." in name.strip(".") else ""
        self.table.fault(code, self.subject, f"{column} {problem}{shown}", remedy)

    def numbers(self, columns: tuple[str, ...], *, at_least: float | None = None) -> tuple[float, ...] | None:
        """Numbers that stand together: all of them, or None where all are blank; some alone are a fault."""
        given = self.given(columns)
        if given and len(given) < len(columns):
            missing = ", ".join(column for column in columns if column not in given)
            self.fault("PARTIAL", given[0], f"needs {missing} beside it", "Fill in all of them or none")
        values = [self.number_in(column, at_least=at_least) for column in columns]
        return tuple(value for value in values if value is not None) if None not in values else None


def read_table(path: Path) -> Table:
    """Read a CSV file as text; cells are stripped, blank lines skipped.

    Raises:
        CohortError: missing, not UTF-8, empty, no CSV, or its header repeats or lacks a name.
    """
    name = path.name
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CohortError("PP-COHORT-READ", name, "is missing or cannot be read", "Correct the path") from error
    except UnicodeDecodeError as error:
        raise CohortError(
            "PP-COHORT-ENCODING", name, f"must be UTF-8, byte {error.start} is not", "Save it as `CSV UTF-8`"
        ) from error
    try:
        lines = [
            (cells, reader.line_num) for reader in [csv.reader(io.StringIO(content, newline=""))] for cells in reader
        ]
    except csv.Error as error:
        raise CohortError("PP-COHORT-CSV", name, f"is no valid CSV ({error})", "Save it as CSV again") from error
    lines = [([cell.strip() for cell in cells], number) for cells, number in lines]
    lines = [(cells, number) for cells, number in lines if any(cells)]
    if not lines:
        raise CohortError("PP-COHORT-EMPTY", name, "has no header line", "Write one; `case_id` is required")
    columns = _header(name, lines[0][0])
    table = Table(name, path.parent, columns, [])
    for cells, number in lines[1:]:
        if any(cells[len(columns) :]):
            table.fault(
                "CELLS",
                f"{name} row {number}",
                f"has {len(cells)} cells, the header has {len(columns)}",
                "Put text with a comma in quotes",
            )
        table.rows.append(Row(number, dict(zip(columns, cells, strict=False)), table))
    return table


def _header(name: str, columns: list[str]) -> list[str]:
    """Check the header line."""
    while columns and not columns[-1]:
        columns = columns[:-1]
    if len(columns) == 1 and ";" in columns[0]:
        raise CohortError("PP-COHORT-CSV", name, "must be separated by commas, got semicolons", "Save it with commas")
    if "case_id" not in columns:
        raise CohortError(
            "PP-COHORT-COLUMN",
            name,
            f"has no column case_id, which is required, got: {', '.join(columns)}",
            "Rename the column that names the cases, or add it",
        )
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        shown = ", ".join(column or "(blank)" for column in repeated)
        raise CohortError("PP-COHORT-COLUMN", name, f"each column must stand once, repeated: {shown}", "Rename them")
    return columns


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _short(value: str) -> str:
    """A value for a message, never longer than a line."""
    return repr(value if len(value) <= 40 else f"{value[:37]}...")
