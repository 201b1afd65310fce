"""Names for patients that do not name them: numbered, or kept in a key file that only its owner holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pointpet.core import CohortError
from pointpet.core.cohort import CASE_ID
from pointpet.core.whole_file import atomic_path

KEY_COLUMNS = ("patient_id", "pseudonym")
KEY_MODE = 0o600
"""The key names every patient: nobody but its owner reads it."""


def extend_pseudonyms(known: Mapping[str, str], patients: Iterable[str], given: Collection[str] = ()) -> dict[str, str]:
    """Return patient to pseudonym: those known, and `P001`, `P002`, ... for the others in sorted order.

    Args:
        known: patient (as its header states it) to pseudonym. patients: all that need one.
        given: pseudonyms that patients have who are not known by name any more: they are not given again.
    """
    names = dict(known)
    taken = {*names.values(), *given}
    number = 0
    for patient in sorted(set(patients) - set(names)):
        number += 1
        while f"P{number:03}" in taken:
            number += 1
        names[patient] = f"P{number:03}"
    return names


def read_key(path: Path) -> dict[str, str]:
    """Read patient to pseudonym; nothing where the file does not exist.

    Raises:
        CohortError: no such table, an invalid or repeated entry. No patient is named in the message, rows are.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _error(path.name, "must be a UTF-8 CSV file, and cannot be read", "Correct the key file") from error
    names: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        patient, pseudonym = (str(row.get(column) or "").strip() for column in KEY_COLUMNS)
        if not patient or not CASE_ID.fullmatch(pseudonym):
            raise _error(
                f"{path.name}, row {number}",
                f"needs {' and '.join(KEY_COLUMNS)}, the pseudonym of letters, digits, '-' or '_'",
                "Correct the row",
            )
        if patient in names or pseudonym in names.values():
            raise _error(f"{path.name}, row {number}", "repeats a patient or a pseudonym", "Remove the row")
        names[patient] = pseudonym
    return names


def write_key(path: Path, names: Mapping[str, str]) -> None:
    """Write the key file, readable by its owner alone."""
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows([KEY_COLUMNS, *sorted(names.items())])
    with atomic_path(path) as part:
        part.touch(KEY_MODE)  # before the first name is in it
        part.write_text(table.getvalue(), encoding="utf-8")


def _error(subject: str, problem: str, remedy: str) -> CohortError:
    return CohortError("PP-IMPORT-KEY", subject, problem, remedy)
