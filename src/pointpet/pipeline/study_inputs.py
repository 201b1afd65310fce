"""What a study's answers were made from: where an image or mask was replaced, what follows from it is made again.

STUDY/.inputs.json holds of each case its fold, the stamps of its files, and hashes of what was read from them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointpet.core import Case, Cohort, Fold, OutputError, text_digest
from pointpet.io.artefacts import read_json, write_json
from pointpet.io.review import verdicts_given, withdraw_verdict
from pointpet.io.stamps import content_hash, file_stamps, image_sources, mask_sources
from pointpet.methods.base import Given, Method
from pointpet.pipeline.annotation_budget import FOLDER as BUDGET_FOLDER
from pointpet.pipeline.annotation_budget import TABLE as BUDGET_TABLE
from pointpet.pipeline.fold import case_folder, checkpoint_folder, model_folder
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort

LOG = logging.getLogger(__name__)

RECORD = ".inputs.json"

Record = Mapping[str, Mapping[str, Any]]
"""Case id to `seen` (digest of the stamps of its files), `image` and `mask` (hashes of what they hold) and `fold`."""


def is_replaced(study: Path, manifest: Cohort) -> bool:
    """True where a file of a case in the study is another than it was, by name, size or time."""
    known = _known(study)
    return any(_seen(case) != known[case.case_id]["seen"] for case in manifest if case.case_id in known)


def forget_stale(study: Path, prepared: PreparedCohort, folds: Sequence[Fold], methods: Sequence[Method]) -> None:
    """Remove the models and answers that rest on a case's earlier image or mask, or on folds that are others now.

    A model rests on the images of its training cases, and on their masks where its method is given them; an answer on
    its model, and on image, mask and fold of its case. A file that was only touched or copied changes nothing.

    Args:
        prepared: the cases that can be read now. folds: of them. methods: those of the study that segment.

    Raises:
        OutputError: a case that answers rest on can no longer be read.
    """
    known = _known(study)
    now = _record(prepared, folds, known)
    lost = sorted(set(known) - set(now))
    if lost:
        raise OutputError(
            "PP-STUDY-INPUT",
            f"case {lost[0]}",
            f"has a part in this study and can no longer be read ({len(lost)} such cases)",
            "Put its image back as it was, or begin anew with --overwrite",
        )
    stale = [_Stale.of(method, known, now) for method in methods]
    if any(found.models or found.answers for found in stale):
        # Without its record the study counts as unfinished until its tables are written again.
        (study / "study.json").unlink(missing_ok=True)
        shutil.rmtree(study / BUDGET_FOLDER, ignore_errors=True)
        (study / "tables" / BUDGET_TABLE).unlink(missing_ok=True)
        judged = verdicts_given(study)
        for found in stale:
            found.remove(study)
        LOG.warning("%s", _told(known, now, stale))
        if withdrawn := sorted({case_id for _, case_id in judged - verdicts_given(study)}):
            LOG.warning("%s: verdicts in review.csv were of earlier answers, withdrawn", ", ".join(withdrawn))
    write_json(study / RECORD, now)


@dataclass(frozen=True)
class _Stale:
    """Of a method, the folds whose models and the cases whose answers are to be made again."""

    method: str
    models: tuple[int, ...]
    answers: tuple[str, ...]

    @classmethod
    def of(cls, method: Method, known: Record, now: Record) -> _Stale:
        supervision = method.supervision
        read = ("image", "mask") if Given.MASK in supervision.training else ("image",)
        numbers = sorted({case["fold"] for case in known.values()}) if supervision.trains else []
        models = tuple(number for number in numbers if _basis(known, number, read) != _basis(now, number, read))
        facts = ("image", "mask", "fold")
        answers = tuple(
            case_id
            for case_id, case in known.items()
            if case["fold"] in models or any(case[fact] != now[case_id][fact] for fact in facts)
        )
        return cls(method.name, models, answers)

    def remove(self, study: Path) -> None:
        """Models and answers, and what a reader said of the answers."""
        for number in self.models:
            for folder in (model_folder(study, self.method, number), checkpoint_folder(study, self.method, number)):
                shutil.rmtree(folder, ignore_errors=True)
        for case_id in self.answers:
            withdraw_verdict(study, self.method, case_id)
            shutil.rmtree(case_folder(study, self.method, case_id), ignore_errors=True)


def _basis(record: Record, number: int, read: Iterable[str]) -> dict[str, list[str]]:
    """Training cases of a fold, with hashes of what a model reads of them."""
    return {name: [case[fact] for fact in read] for name, case in record.items() if case["fold"] != number}


def _told(known: Record, now: Record, stale: Sequence[_Stale]) -> str:
    changed = [name for name in known if any(known[name][fact] != now[name][fact] for fact in ("image", "mask"))]
    added = sorted(set(now) - set(known))
    parts = [f"image or mask of {', '.join(changed)} was replaced"] if changed else []
    parts += [f"{', '.join(added)} could not be read before"] if added else []
    models, answers = (sum(len(getattr(found, part)) for found in stale) for part in ("models", "answers"))
    return f"{' and '.join(parts)}: {models} models and {answers} answers are made again"


def _known(study: Path) -> Record:
    path = study / RECORD
    return read_json(path) if path.is_file() else {}


def _record(prepared: PreparedCohort, folds: Sequence[Fold], known: Record) -> dict[str, dict[str, Any]]:
    number = {case_id: fold.number for fold in folds for case_id in fold.test}
    record = {}
    for case in prepared.cases:
        case_id = case.case.case_id
        before, seen = known.get(case_id, {}), _seen(case.case)
        read = before if before.get("seen") == seen else _read(case)
        record[case_id] = {"seen": seen, "image": read["image"], "mask": read["mask"], "fold": number[case_id]}
    return record


def _seen(case: Case) -> str:
    """Digest of the stamps of a case's files."""
    return text_digest([file_stamps(image_sources(case)), file_stamps(mask_sources(case))])


def _read(case: PreparedCase) -> dict[str, str]:
    """Hashes of what a case's files hold: voxels with their place in the MIPs, and the masks' bytes."""
    image = hashlib.sha256(case.pixel_hash.encode() + case.mips_path.read_bytes())
    return {"image": image.hexdigest(), "mask": content_hash(mask_sources(case.case))}
