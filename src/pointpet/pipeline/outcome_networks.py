"""Networks that predict an outcome from the tumour's surroundings: patches of every case, then a network a fold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet._version import __version__
from pointpet.core import Fold, PointpetError, derive_seed, text_digest
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.nifti import read_mask
from pointpet.methods.rpet3d import MODEL, OutcomeNetwork, RpetSettings, tumour_patch
from pointpet.outcome.endpoint import CaseOutcome
from pointpet.pipeline.case_inputs import VolumeReader
from pointpet.pipeline.fold import case_folder
from pointpet.pipeline.mapping import Report, Workers, map_tasks, silent
from pointpet.pipeline.outcome_tasks import Rows, case_rows
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort

Patches = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class PatchTask:
    """One case and the network whose patch is wanted."""

    study: Path
    prepared: PreparedCase
    network: OutcomeNetwork


@dataclass(frozen=True, eq=False)
class NetworkTask:
    """One network and one endpoint of one class.

    Args:
        patches: case id to patch, of the class's cases. truth: case id to 0 or 1. patients: case id to patient id.
    """

    study: Path
    network: OutcomeNetwork
    label: str
    endpoint: str
    patches: Patches
    truth: Mapping[str, int]
    folds: tuple[Fold, ...]
    patients: Mapping[str, str]
    seed: int

    @property
    def name(self) -> str:
        """For progress lines and file names."""
        return f"{self.network.name}, {self.label}, {self.endpoint}"

    @property
    def digest(self) -> str:
        """Hash of all that the answer depends on."""
        hashes = {name: hashlib.sha256(patch.tobytes()).hexdigest() for name, patch in self.patches.items()}
        folds = [asdict(fold) for fold in self.folds]
        settings = asdict(self.network.settings)
        return text_digest([hashes, dict(self.truth), folds, dict(self.patients), settings, self.seed, __version__])


def study_patches(
    study: Path, prepared: PreparedCohort, network: OutcomeNetwork, *, workers: Workers = 1, report: Report = silent
) -> tuple[Patches, Rows]:
    """Patches of every case that has a mask, by case id in the cohort's order, and what failed."""
    tasks = [PatchTask(study, case, network) for case in prepared.cases if case.case.pet is not None]
    found: dict[str, NDArray[np.float32]] = {}
    failures: Rows = []
    for task, patch, error in map_tasks(
        case_patch, tasks, workers=workers, report=report, describe=lambda task: task.prepared.case.case_id
    ):
        case_id = task.prepared.case.case_id
        if error is not None:
            failure = {"case_id": case_id, "stage": "features", "method": network.name, "code": error.code}
            failures.append({**failure, "message": str(error)})
        elif patch is not None:
            found[case_id] = patch
    order = [case.case.case_id for case in prepared.cases]
    return {case_id: found[case_id] for case_id in order if case_id in found}, failures


def case_patch(task: PatchTask) -> NDArray[np.float32] | None:
    """The patch around the mask that the network looks at; None where there is no mask."""
    reader, case = VolumeReader(), task.prepared.case
    if not task.network.masks_of:
        if case.mask is None:
            return None
        return tumour_patch(reader.volume(task.prepared), reader.mask(task.prepared), task.network.settings)
    path = case_folder(task.study, task.network.masks_of, case.case_id) / "mask.nii.gz"
    if not path.is_file():
        return None
    volume = reader.volume(task.prepared)
    return tumour_patch(volume, read_mask(path, volume), task.network.settings)


def run_network_task(task: NetworkTask) -> dict[str, Rows]:
    """Train a network on each fold's training cases and ask it about the test cases, or read an earlier answer.

    Returns:
        Table name to rows, `cases` and `folds`, as `run_outcome_task` gives them.

    Raises:
        TrainingError: too few patients of one outcome in a training fold.
    """
    path = task.study / "features" / ".outcome" / f"{task.network.name}_{text_digest(task.name)[:12]}.json"
    if path.is_file() and read_json(path)["digest"] == task.digest:
        return read_json(path)["rows"]
    key = {"method": task.network.name, "label": task.label, "endpoint": task.endpoint}
    cases: Rows = []
    folds: Rows = []
    for fold in task.folds:
        try:
            fold_cases, record = _fold(task, fold)
        except PointpetError as error:
            raise error.about(f"fold {fold.number}") from error
        cases += case_rows(key, MODEL, fold_cases, {fold.number: record["threshold"]})
        folds.append({**key, "model": MODEL, "fold": fold.number, **record})
    rows = {"cases": cases, "folds": folds}
    write_json(path, {"digest": task.digest, "rows": rows})
    return rows


def _fold(task: NetworkTask, fold: Fold) -> tuple[list[CaseOutcome], dict[str, Any]]:
    from pointpet.methods.rpet3d_network import fit_networks

    train, test = (
        [name for name in part if name in task.patches and name in task.truth] for part in (fold.train, fold.test)
    )
    truth = np.array([task.truth[name] == 1 for name in train], bool)
    fitted = fit_networks(
        _stack(task.patches, train, task.network.settings),
        truth,
        [task.patients[name] for name in train],
        task.network.settings,
        seed=derive_seed(task.seed, task.name, fold.number),
    )
    chances = fitted.probabilities(_stack(task.patches, test, task.network.settings)) if test else []
    cases = [
        CaseOutcome(name, fold.number, float(chance), int(chance >= fitted.threshold), task.truth[name])
        for name, chance in zip(test, chances, strict=True)
    ]
    record = {"cases": len(train), "events": int(min(truth.sum(), (~truth).sum())), "threshold": fitted.threshold}
    return cases, record | {
        "parameters": f"{fitted.parameters} weights a network; margin {task.network.settings.margin_cm:g} cm",
        "weights": fitted.parameters,
        "epochs": list(fitted.epochs),
        "seconds": round(fitted.seconds, 1),
    }


def network_record(folds: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """What study.json says of a network's training: epochs and seconds a fold, over all its endpoints and classes."""
    own = [row for row in folds if row["method"] == name]
    numbers = sorted({row["fold"] for row in own})
    parts = [[row for row in own if row["fold"] == number] for number in numbers]
    return {
        "parameters": own[0]["weights"] if own else None,
        "epochs": [round(float(np.mean([count for row in part for count in row["epochs"]]))) for part in parts],
        "train_seconds": [round(sum(row["seconds"] for row in part), 1) for part in parts],
    }


def _stack(patches: Patches, names: Sequence[str], settings: RpetSettings) -> NDArray[np.float32]:
    return np.array([patches[name] for name in names], np.float32).reshape(-1, *(settings.cells,) * 3)
