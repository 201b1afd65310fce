"""A tree of DICOM files -> SUV images, sidecars and a cohort.csv to fill in; nothing in them names a patient."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointpet._version import __version__
from pointpet.core import CohortError, OutputError, PointpetError
from pointpet.image.suv import refuse_guesses
from pointpet.io.artefacts import lock_folder, read_json, write_csv, write_json
from pointpet.io.cohort_csv import write_cohort
from pointpet.io.dicom_pet import read_dicom_files
from pointpet.io.dicom_pseudonyms import extend_pseudonyms, read_key, write_key
from pointpet.io.dicom_scan import FoundSeries, find_pet_series
from pointpet.io.dicom_series import LeftOut
from pointpet.io.nifti import write_volume
from pointpet.io.pet import read_sidecar_notes, sidecar_path
from pointpet.io.reading import PetReading

IMAGES = "images"
COHORT = "cohort.csv"
LEFT_OUT = "left_out.csv"
LEFT_OUT_COLUMNS = ("what", "reason", "failed", "code")
BLANK_COLUMNS = ("label", "x_mm", "y_mm", "z_mm", "mask")
"""What the user fills in."""

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ImportedCase:
    """One image written. `is_new` is False where an earlier run wrote it.

    Args:
        notes: header values that were not taken as they stood, each with its code and tag.
        warnings: what looked unusual.
    """

    case_id: str
    patient_id: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    is_new: bool


@dataclass(frozen=True)
class ImportResult:
    """What an import wrote, and what it left out and why."""

    cases: tuple[ImportedCase, ...]
    left_out: tuple[LeftOut, ...]
    cohort: Path

    @property
    def failed(self) -> tuple[LeftOut, ...]:
        """What should have been imported and could not be read."""
        return tuple(one for one in self.left_out if one.failed)


def import_tree(
    root: Path, out: Path, *, strict: bool = False, pseudonyms: Path | None = None, report: Report | None = None
) -> ImportResult:
    """Import every attenuation-corrected PET series below `root`.

    Writes `images/CASE.nii.gz` (SUVbw) and `images/CASE.json`, `cohort.csv` and `left_out.csv`. Rows that stand in
    cohort.csv already are kept as they are, so that the same command resumes an interrupted run and adds new series
    without touching what was filled in.

    Args:
        root: any nesting, many patients. out: made where missing.
        strict: refuse every reinterpretation of a header.
        pseudonyms: key file (`patient_id,pseudonym`): read where it exists, completed, and written back. Patients are
            numbered where absent. It names patients and must lie outside `out`.
        report: called with (done, total, case id).

    Raises:
        ImageReadError: `root` is no folder.
        CohortError: the key file is wrong, or contradicts what an earlier run wrote.
        OutputError: `out` cannot be written, or the key would lie in it.
    """
    root, out = Path(root), Path(out)
    if pseudonyms is not None and out.resolve() in Path(pseudonyms).resolve().parents:
        raise OutputError(
            "PP-IMPORT-KEY-PLACE",
            Path(pseudonyms).name,
            "names patients and must not lie in the output folder",
            "Give another place for the key file",
        )
    found, left_out = find_pet_series(root)
    key = {} if pseudonyms is None else read_key(pseudonyms)
    with lock_folder(out):
        earlier = _earlier(out / IMAGES)
        given = {pseudonym for _, pseudonym in earlier.values()}
        names = extend_pseudonyms(_agreed(_known(found, earlier), key), (one.patient for one in found), given)
        if pseudonyms is not None:
            write_key(pseudonyms, names)
        cases, failed = _import_all(_case_ids(found, names, earlier), names, out, strict, report)
        result = ImportResult(tuple(cases), (*left_out, *failed), out / COHORT)
        _complete_cohort(result, out)
        write_csv(out / LEFT_OUT, [asdict(one) for one in result.left_out], LEFT_OUT_COLUMNS)
    return result


def _import_all(
    found: Mapping[str, FoundSeries], names: Mapping[str, str], out: Path, strict: bool, report: Report | None
) -> tuple[list[ImportedCase], list[LeftOut]]:
    cases, failed = [], []
    for done, (case_id, one) in enumerate(found.items()):
        if report is not None:
            report(done, len(found), case_id)
        image = out / IMAGES / f"{case_id}.nii.gz"
        try:
            cases.append(_import_one(case_id, one, names[one.patient], image, strict))
        except OutputError:
            raise
        except PointpetError as error:
            failed.append(LeftOut.of(error, case_id))
    return cases, failed


def _import_one(case_id: str, one: FoundSeries, patient_id: str, image: Path, strict: bool) -> ImportedCase:
    """Write one image and, last, its sidecar: an image with a sidecar is whole."""
    sidecar = sidecar_path(image)
    is_new = not (image.exists() and sidecar.exists())
    if is_new:
        reading = read_dicom_files(one.files, strict=strict)
        write_volume(image, reading.volume)
        write_json(sidecar, _sidecar(reading, one, patient_id))
    content = read_json(sidecar)
    notes = read_sidecar_notes(content)
    if strict:  # an earlier run may have been less so
        refuse_guesses(case_id, notes)
    return ImportedCase(
        case_id, patient_id, tuple(f"[{note.code}] {note}" for note in notes), tuple(content["warnings"]), is_new
    )


def _sidecar(reading: PetReading, one: FoundSeries, patient_id: str) -> dict[str, Any]:
    return {
        "unit": "suv",
        "patient_id": patient_id,
        "acquisition": asdict(reading.acquisition),
        "notes": [note.to_json() for note in reading.notes],
        "warnings": list(reading.warnings),
        "series_digest": series_digest(one.series_uid),
        "slices": len(one.files),
        "pointpet_version": __version__,
    }


def series_digest(series_uid: str) -> str:
    """Tells a series again without naming it: a cut SHA-256 of its identifier."""
    return hashlib.sha256(f"pointpet {series_uid}".encode()).hexdigest()[:20]


def _earlier(images: Path) -> dict[str, tuple[str, str]]:
    """Series digest to case id and patient pseudonym of what an earlier run wrote."""
    known = {}
    for sidecar in sorted(images.glob("*.json")):
        content = read_json(sidecar)
        if isinstance(content, dict) and "series_digest" in content:
            known[str(content["series_digest"])] = (sidecar.stem, str(content.get("patient_id", sidecar.stem)))
    return known


def _known(found: Sequence[FoundSeries], earlier: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Pseudonyms that earlier runs gave to these patients."""
    digests = ((one.patient, series_digest(one.series_uid)) for one in found)
    return {patient: earlier[digest][1] for patient, digest in digests if digest in earlier}


def _agreed(known: Mapping[str, str], key: Mapping[str, str]) -> dict[str, str]:
    """The key's pseudonyms and, for patients it lacks, those of earlier runs.

    Raises:
        CohortError: one pseudonym would be two patients', or one patient have two: folds go by it.
    """
    names = dict(known) | dict(key)
    renamed = [name for patient, name in known.items() if names[patient] != name]
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    for name in (*renamed, *twice):
        raise CohortError(
            "PP-IMPORT-KEY",
            f"pseudonym {name}",
            "the key gives it, or its patient, otherwise than the earlier import into this folder",
            "Give the key of that import, or another output folder",
        )
    return names


def _case_ids(
    found: Sequence[FoundSeries], names: Mapping[str, str], earlier: Mapping[str, tuple[str, str]]
) -> dict[str, FoundSeries]:
    """Case id to series: the patient's pseudonym, with a number where the patient has several series."""
    cases: dict[str, FoundSeries] = {}
    per_patient = Counter(one.patient for one in found)
    taken = {case_id for case_id, _ in earlier.values()}
    for one in found:
        digest = series_digest(one.series_uid)
        if digest in earlier:
            cases[earlier[digest][0]] = one
            continue
        name, number = names[one.patient], 1
        case_id = name if per_patient[one.patient] == 1 else f"{name}_{number}"
        while case_id in cases or case_id in taken:
            number += 1
            case_id = f"{name}_{number}"
        cases[case_id] = one
    return cases


def _complete_cohort(result: ImportResult, out: Path) -> None:
    """Add a row for each case that cohort.csv lacks; what stands there stays."""
    rows: list[dict[str, object]] = []
    if result.cohort.exists():
        with result.cohort.open(encoding="utf-8-sig", newline="") as stream:
            rows = [dict(row) for row in csv.DictReader(stream)]
    present = {row.get("case_id") for row in rows}
    new = [_row(case, out) for case in result.cases if case.case_id not in present]
    if new:
        write_cohort(result.cohort, [*rows, *new])


def _row(case: ImportedCase, out: Path) -> dict[str, object]:
    image = out / IMAGES / f"{case.case_id}.nii.gz"
    facts = read_json(sidecar_path(image))["acquisition"]
    scanner = " ".join(str(facts[name]).strip() for name in ("manufacturer", "model") if facts.get(name))
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "site": scanner,
        "pet": image,
        "pet_units": "suv",
        **dict.fromkeys(BLANK_COLUMNS),
    }
