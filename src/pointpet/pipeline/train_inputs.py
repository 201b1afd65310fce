"""What a model is trained on: whether that is still what its folder was begun with, and whether it can be learned from.

MODEL/.inputs.json holds of each training case what `made_from` says of its files.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pointpet.core import Case, ConfigError, OutputError
from pointpet.io.artefacts import read_earlier, write_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.stamps import image_sources, mask_sources, read_as
from pointpet.methods.base import Given, Method
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.made_from import RECORD, is_same, made_from
from pointpet.pipeline.prepare import PreparedCohort, annotation

LOG = logging.getLogger(__name__)

CHECKPOINT = ".checkpoint"
"""Folder in a model's, with the state of an interrupted training."""


def is_trained(out: Path, source: Path, prepared: PreparedCohort | None, method: Method) -> bool:
    """True where `out` holds the finished model of these very images, and of these masks where `method` is given masks.

    What an interrupted training on others left is removed. A file that was only touched or copied changes nothing.

    Args:
        out: a folder that this request has claimed.
        source: the manifest. prepared: what is trained on instead of a manifest.

    Raises:
        OutputError: the model in `out` was trained on others.
    """
    known = read_earlier(out / RECORD)
    basis = _basis(source, prepared, method)
    now = {case_id: made_from(files, told, known.get(case_id, {})) for case_id, files, told in basis}
    changed = sorted(name for name in {*known, *now} if not is_same(known.get(name, {}), now.get(name, {})))
    finished = (out / "model.json").is_file()
    if finished and changed:
        raise OutputError(
            "PP-TRAIN-INPUT",
            f"model {out.name}",
            f"was trained on another image, mask or annotation of case {changed[0]} ({len(changed)} such cases)",
            "Choose another folder, or pass --overwrite to train anew",
        )
    if known and changed:
        LOG.warning("image, mask or annotation of %s is another now: training begins anew", ", ".join(changed))
        shutil.rmtree(out / CHECKPOINT, ignore_errors=True)
    if now != known:
        write_json(out / RECORD, now)
    return finished


def require_turned(prepared: PreparedCohort, configuration: Configuration, method: str) -> None:
    """Stop where `method` is to learn from the patient turned, and a prepared folder of volumes shows nobody turned.

    Not for the U-Net: a prepared folder lacks the masks too, which its own error tells.

    Raises:
        ConfigError: `training.turns` asks for turned views.
    """
    wanted = method != "unet" and configuration.preparing((method,)).turns_deg
    if wanted and not prepared.settings.turns_deg and any(case.has_candidates for case in prepared.cases):
        raise ConfigError(
            "PP-TRAIN-TURNS",
            "training.turns",
            "is true, and the prepared folder holds no views of the patient turned",
            "Run `pointpet prepare --overwrite` with this configuration, or set training.turns: false",
        )


def _basis(
    source: Path, prepared: PreparedCohort | None, method: Method
) -> Iterator[tuple[str, list[Path], list[Any]]]:
    """Case id, files and what is said of them, of every case with a class."""
    if prepared is None:
        for case in read_cohort(source):
            if case.label is not None:
                yield case.case_id, _read_of(case, method), read_as(case)
        return
    for known in prepared.cases:
        if known.case.label is not None:
            told = [annotation(known.case), known.has_truth, known.pixel_hash, dict(known.facts)]
            yield known.case.case_id, known.paths, told


def _read_of(case: Case, method: Method) -> list[Path]:
    """Files of a case that bear on a model: masks where the method is given them.

    Whether 2D masks are empty tells every method whether a case has lesions.
    """
    given = mask_sources(case) if Given.MASK in method.supervision.training else list(case.mip_masks.values())
    return [*image_sources(case), *given]
