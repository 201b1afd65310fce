"""SUV -> MIPs -> cache: the part of the work that is the same for every method, done once a case."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from pointpet._version import __version__
from pointpet.core import (
    Candidates,
    Case,
    Cohort,
    GeometryError,
    MipPair,
    ModelError,
    Plane,
    PointpetError,
    TurnedMips,
    Volume,
    text_digest,
)
from pointpet.image.candidates import FEATURES, find_candidates
from pointpet.io.artefacts import lock_folder, read_earlier, read_json, write_json
from pointpet.io.candidate_files import read_candidates, write_candidates
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.mip_files import read_mips, read_turned, write_mips, write_turned
from pointpet.io.mip_pictures import read_mip_pictures, read_picture_masks
from pointpet.io.pet import PetReading, read_pet
from pointpet.io.stamps import file_stamps, image_sources, read_as
from pointpet.pipeline.acquisition import acquisition_facts
from pointpet.pipeline.config import PrepareSettings
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.pipeline.outputs import claim_folder
from pointpet.project import project, turned_mips
from pointpet.project.mips import Interpolation

LOG = logging.getLogger(__name__)

INDEX = "prepared.json"
FORMAT_VERSION = 8

EMPTY_MASKS = "empty_masks"
"""Fact of a case with ready-made pictures: it names masks, and none of them holds a pixel."""


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case and where its MIPs are: they are read when they are asked for, so that a cohort's do not fill the memory.

    Args:
        mips_path: file of the MIPs.
        pixel_hash: hash of the image's voxels: the same scan has it under any name.
        facts: how it was acquired, see `acquisition_facts`; empty for ready-made pictures.
        turned_path: file of the MIPs of the turned patient; None where there are none.
        candidates_path: file of the places where uptake stands out; None or missing for ready-made pictures.
        has_truth: the manifest gives it a mask, 3D or 2D, also where a prepared folder no longer knows its path.
    """

    case: Case
    mips_path: Path
    pixel_hash: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    turned_path: Path | None = None
    candidates_path: Path | None = None
    has_truth: bool = False

    @property
    def paths(self) -> list[Path]:
        """The files that the case was prepared into."""
        made = (self.mips_path, self.turned_path, self.candidates_path)
        return [path for path in made if path is not None and path.is_file()]

    @property
    def has_candidates(self) -> bool:
        """False for ready-made pictures, which hold no voxels to look for them in."""
        return self.candidates_path is not None and self.candidates_path.is_file()

    def candidates(self) -> Candidates:
        """Places where uptake stands out, read from disk."""
        assert self.candidates_path is not None
        return read_candidates(self.candidates_path, len(FEATURES))

    @property
    def mips(self) -> MipPair:
        """MIPs, read from disk each time."""
        return read_mips(self.mips_path)

    def turned(self) -> tuple[TurnedMips, ...]:
        """MIPs of the turned patient, read from disk: only training needs them."""
        return () if self.turned_path is None else read_turned(self.turned_path)


def case_pixels(case: Case, mips: MipPair) -> dict[Plane, np.ndarray]:
    """Plane to (N, 2) fractional (row, column) of the case's points in its MIPs."""
    if case.pixel_points:
        return {plane: np.asarray(points) for plane, points in case.pixel_points.items()}
    if not len(case.points_mm) or mips.origin_mm is None:
        return {}
    return {plane: mips.pixels(plane, case.points_mm) for plane in mips.planes}


@dataclass(frozen=True, eq=False)
class PreparedCohort:
    """Prepared cases in the manifest's order, how their MIPs were made, what failed (case id, error); `digest` and
    `source` of the manifest."""

    cases: tuple[PreparedCase, ...]
    settings: PrepareSettings
    failures: tuple[tuple[str, PointpetError], ...] = ()
    digest: str = ""
    source: str = "files"

    @property
    def cohort(self) -> Cohort:
        """The prepared cases as a cohort."""
        return Cohort(tuple(prepared.case for prepared in self.cases), self.digest, self.source)


def prepare_cohort(
    source: Cohort | Path,
    out: Path,
    settings: PrepareSettings,
    *,
    overwrite: bool = False,
    workers: Workers = 1,
    report: Report = silent,
) -> PreparedCohort:
    """Project every case of a cohort; cases already done, and unchanged since, are not read again.

    Args:
        source: the cohort, or its manifest.
        overwrite: replace what `out` holds of other settings. What it holds of these stays: each case's record says
            what it was made from.

    Raises:
        Faults: the manifest is wrong.
        OutputError: `out` holds something else, or another process writes there.
    """
    cohort = source if isinstance(source, Cohort) else read_cohort(source)
    with lock_folder(out):
        asked = {"format": FORMAT_VERSION, "settings": asdict(settings)}
        claim_folder(out, "prepared", asked, overwrite=overwrite, keep_same=True)
        task = partial(_prepare_case, out=out, settings=settings)
        records, failures = {}, []
        for case, known, error in map_tasks(
            task, cohort.cases, workers=workers, report=report, describe=lambda case: case.case_id
        ):
            if error is None:
                records[case.case_id] = known
            else:
                failures.append((case.case_id, error))
        failures.sort(key=lambda item: item[0])
        order = [case.case_id for case in cohort.cases if case.case_id in records]
        record = {
            "format_version": FORMAT_VERSION,
            "pointpet_version": __version__,
            "settings": asdict(settings),
            "cohort_digest": cohort.digest,
            "cohort_source": cohort.source,
            "cases": order,
            "failures": [_failure(name, error) for name, error in failures],
        }
        write_json(out / INDEX, record)
    loaded = tuple(_prepared_case(out, cohort[case_id], records[case_id]) for case_id in order)
    return PreparedCohort(loaded, settings, tuple(failures), cohort.digest, cohort.source)


def load_prepared(folder: Path) -> PreparedCohort:
    """Read back a prepared folder without its manifest or images: labels, points, MIPs, and what failed.

    Raises:
        ModelError: no prepared folder, an unfinished one, or one of another version.
    """
    index = folder / INDEX
    if not index.is_file():
        raise ModelError(
            "PP-PREPARED-MISSING", folder.name, f"holds no {INDEX}", "Give a folder that `pointpet prepare` wrote"
        )
    record = read_json(index)
    if record.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            "PP-PREPARED-VERSION",
            folder.name,
            f"has format {record.get('format_version')}, this version reads {FORMAT_VERSION}",
            "Run `pointpet prepare --overwrite` again",
        )
    records = (read_json(folder / "cases" / f"{case_id}.json") for case_id in record["cases"])
    cases = tuple(_prepared_case(folder, _case_from_annotation(known), known) for known in records)
    settings = PrepareSettings(**record["settings"])
    failures = tuple(
        (item["case_id"], PointpetError(item["code"], item["subject"], item["problem"], item["remedy"]))
        for item in record["failures"]
    )
    return PreparedCohort(cases, settings, failures, record["cohort_digest"], record["cohort_source"])


def _failure(case_id: str, error: PointpetError) -> dict[str, str]:
    """What a prepared folder keeps of a case that failed, so that the same error can be raised from it."""
    parts = {"subject": error.subject, "problem": error.problem, "remedy": error.remedy}
    return {"case_id": case_id, "code": error.code, "message": str(error), **parts}


def read_case_volume(case: Case) -> Volume:
    """Read a case's PET as SUV, with what its manifest row adds to the header."""
    return _read_case(case).volume


def _read_case(case: Case) -> PetReading:
    if case.pet is None:
        raise ModelError("PP-CASE-PET", case.case_id, "has ready-made MIPs only, a volume is needed", "Give `pet`")
    try:
        return read_pet(case.pet, unit=case.pet_units, overrides=dict(case.header))
    except PointpetError as error:
        raise error.about(f"case {case.case_id}") from error


def project_case(volume: Volume, settings: PrepareSettings) -> MipPair:
    """MIPs of a volume as the settings ask."""
    return project(volume, pixel_mm=settings.pixel_mm, interpolation=cast(Interpolation, settings.interpolation))


def hash_voxels(values: np.ndarray) -> str:
    """Hash of an image's values: equal for the same scan under another case id."""
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).hexdigest()


def _prepare_case(case: Case, *, out: Path, settings: PrepareSettings) -> dict[str, Any]:
    """Project a case, unless that is done already.

    Returns:
        Of its record, what the caller goes on with: `pixel_hash`, `facts` and the annotation.
    """
    record_path = out / "cases" / f"{case.case_id}.json"
    mips_path = _mips_path(out, case.case_id)
    source = _source_digest(case, settings)
    turned_path = _turned_path(out, case.case_id)
    candidates_path = _candidates_path(out, case.case_id)
    known = read_earlier(record_path)
    if known.get("source_digest") == source and known.get("bytes") == _sizes(mips_path, turned_path, candidates_path):
        pixel_hash, facts = known["pixel_hash"], known["facts"]
        require_points_inside(case, read_mips(mips_path))
    else:
        found = _project_source(case, settings)
        pixel_hash, facts = found.pixel_hash, found.facts
        require_points_inside(case, found.mips)
        write_mips(mips_path, found.mips)
        write_turned(turned_path, found.turned)
        if found.candidates is None:
            candidates_path.unlink(missing_ok=True)
        else:
            write_candidates(candidates_path, found.candidates)
        LOG.info("%s: projected", case.case_id)
    kept = {"pixel_hash": pixel_hash, "facts": facts, **annotation(case)}
    record = {"source_digest": source, **kept}
    record["bytes"] = _sizes(mips_path, turned_path, candidates_path)
    if known != record:
        write_json(record_path, record)
    return kept


def _sizes(*paths: Path) -> list[int]:
    """Bytes of each file, -1 where there is none: a file cut short by a fault of the disk is made again."""
    return [path.stat().st_size if path.is_file() else -1 for path in paths]


def require_points_inside(case: Case, mips: MipPair) -> None:
    """Stop where a case's point lies beside its scan: training there would learn from nothing.

    Raises:
        GeometryError: names the point's place in the view.
    """
    for plane, pixels in case_pixels(case, mips).items():
        size = np.array(mips.picture(plane).shape)
        outside = pixels[((pixels < -0.5) | (pixels >= size - 0.5)).any(axis=1)]
        if len(outside):
            row, column = np.round(outside[0], 1).tolist()
            raise GeometryError(
                "PP-POINT-OUTSIDE",
                f"case {case.case_id}",
                f"its point must lie inside the scan, got row {row}, column {column} of {size[0]} x {size[1]} in the "
                f"{plane} view",
                "Correct x_mm, y_mm, z_mm (world RAS+), or the pixels",
            )


def _mips_path(folder: Path, case_id: str) -> Path:
    return folder / "cases" / f"{case_id}.npz"


def _turned_path(folder: Path, case_id: str) -> Path:
    return folder / "cases" / f"{case_id}.turned.npz"


def _candidates_path(folder: Path, case_id: str) -> Path:
    return folder / "cases" / f"{case_id}.candidates.npz"


@dataclass(frozen=True, eq=False)
class _Projected:
    """MIPs, those of the turned patient, hash, facts and, of a volume, candidates of a case."""

    mips: MipPair
    turned: list[TurnedMips]
    pixel_hash: str
    facts: dict[str, Any]
    candidates: Candidates | None = None


def _project_source(case: Case, settings: PrepareSettings) -> _Projected:
    if case.pet is None:
        mips = read_mip_pictures(case, by_body=settings.picture_suv == "body").mips
        views = [mips.picture(plane).ravel() for plane in mips.planes]
        has_truth = any(mask.any() for mask in read_picture_masks(case).values())
        facts = {EMPTY_MASKS: bool(case.mip_masks) and not has_truth}
        return _Projected(mips, [], hash_voxels(np.concatenate(views)), facts)
    reading = _read_case(case)
    volume = reading.volume
    turned = turned_mips(volume, settings.turns_deg, pixel_mm=settings.pixel_mm, factor=max(1, settings.turned_factor))
    return _Projected(
        project_case(volume, settings),
        turned,
        hash_voxels(volume.voxels),
        acquisition_facts(reading),
        find_candidates(volume),
    )


def annotation(case: Case) -> dict[str, Any]:
    """What training needs of the manifest's row; no path and nothing of the header."""
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "label": case.label,
        "has_truth": case.has_truth,
        "points_mm": np.asarray(case.points_mm).tolist(),
        "pixel_points": {plane.value: np.asarray(points).tolist() for plane, points in case.pixel_points.items()},
    }


def _source_digest(case: Case, settings: PrepareSettings) -> str:
    # Whether 2D masks have a pixel is a fact of the prepared case; 3D ones are read where they are needed.
    facts = file_stamps([*image_sources(case), *case.mip_masks.values()])
    return text_digest([facts, read_as(case), asdict(settings), FORMAT_VERSION])


def _prepared_case(folder: Path, case: Case, record: Mapping[str, Any]) -> PreparedCase:
    facts, has_truth = dict(record["facts"]), record["has_truth"]
    # Masks without a pixel say what a blank cell says: nothing was found there.
    if facts.pop(EMPTY_MASKS, False):
        case, has_truth = replace(case, mip_masks={}), False
    return PreparedCase(
        case,
        _mips_path(folder, case.case_id),
        record["pixel_hash"],
        facts,
        _turned_path(folder, case.case_id),
        _candidates_path(folder, case.case_id),
        has_truth,
    )


def _case_from_annotation(record: Mapping[str, Any]) -> Case:
    return Case(
        case_id=record["case_id"],
        patient_id=record["patient_id"],
        label=record["label"],
        points_mm=np.array(record["points_mm"], np.float64).reshape(-1, 3),
        pixel_points={Plane(name): np.array(points) for name, points in record["pixel_points"].items()},
    )
