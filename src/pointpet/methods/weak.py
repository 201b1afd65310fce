"""What `proposed`, `cam_alone` and `cam_fcn` share: a classifier on two MIPs whose activation maps become a 3D mask."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointpet.core import Plane, derive_seed
from pointpet.image.picture_body import pixel_correction, trunk_shares
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.example import Example
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given, Supervision
from pointpet.methods.fitted_weak import FittedWeakMethod, corrected, require_mips
from pointpet.methods.held_out import held_out_cases
from pointpet.methods.stored import CORRECTION, NO_FOREST, FittedForest, read_stored

LOG = logging.getLogger(__name__)

SWITCHED_OFF = "switched off by candidates.enabled"
WITHOUT_AGREEMENT = "switched off by localise.agree"
PICTURES_ALONE = "no training case has candidates, which are not looked for in ready-made pictures"
"""Why there is no forest where no more clicks would give one."""

NO_PIXELS: Mapping[Plane, np.ndarray] = {}


def fit_record(training: Sequence[CaseInput], context: FitContext) -> dict[str, Any]:
    """What a model keeps beside its weights: `FitContext.record`, and the correction of the pixel size."""
    pictures = [mips for mips in map(require_mips, training) if mips.origin_mm is None]
    shares = [share for mips in pictures for share in trunk_shares(mips)]
    return {**context.record, CORRECTION: pixel_correction(shares)}


def _are_pictures(training: Sequence[CaseInput]) -> bool:
    """True where every case has ready-made pictures alone."""
    return all(require_mips(case).origin_mm is None for case in training)


class WeakMethod:
    """Classification with activation maps; with points, the distance loss pulls each map to the lesion.

    Args:
        name, summary: as the registry lists them.
        training: network and loss settings.
        localising: from maps to a mask.
        candidates: how candidates are told from physiology by the one point per patient; None for a method that sees
            no point in training.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        training: TrainingSettings,
        localising: LocaliseSettings,
        *,
        candidates: CandidateSettings | None,
    ) -> None:
        self.name = name
        self.summary = summary
        self.training = training
        self.localising = localising
        self.candidates = candidates
        given = {Given.LABEL, Given.POINT} if candidates else {Given.LABEL}
        self.supervision = Supervision(training=frozenset(given))

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> FittedWeakMethod:
        """Train one network on the labels (and points) of `training`."""
        from pointpet.learn.train import train

        record = fit_record(training, context)
        examples = [self._example(case, case.label, record[CORRECTION]) for case in training if case.label]
        network = train(
            examples,
            self.training.for_cohort(context.lesion_free, pictures=_are_pictures(training)),
            seed=context.seed,
            classes=context.classes,
            lesion_free=context.lesion_free,
            checkpoint_dir=context.checkpoint_dir,
            report=context.report,
        )
        forest, missing = self._forest(training, context)
        if missing:
            record[NO_FOREST] = missing
            mendable = missing not in (SWITCHED_OFF, WITHOUT_AGREEMENT, PICTURES_ALONE)
            LOG.log(
                logging.WARNING if mendable else logging.INFO, "%s: no forest of candidates: %s", self.name, missing
            )
        return FittedWeakMethod(self.name, network, self.localising.for_cohort(context.lesion_free), record, forest)

    def _forest(self, training: Sequence[CaseInput], context: FitContext) -> tuple[FittedForest | None, str]:
        """What the clicks say of candidates; or None, and why: empty for a method that is given no clicks."""
        from pointpet.learn.candidate_forest import ClickedCandidates, fit_forest, shortage

        if self.candidates is None:
            return None, ""
        if not self.candidates.enabled:
            return None, SWITCHED_OFF
        if not self.localising.agree:
            return None, WITHOUT_AGREEMENT
        clicked = [
            ClickedCandidates(case.load_candidates(), case.label, case.points_mm)
            for case in training
            if case.label and case.load_candidates is not None
        ]
        if not clicked:
            return None, PICTURES_ALONE
        named = {"classes": context.classes, "lesion_free": context.lesion_free}
        forest = fit_forest(clicked, self.candidates, **named, seed=derive_seed(context.seed, "candidates"))
        if forest is None:
            return None, shortage(clicked, self.candidates, **named)
        return FittedForest(forest, self.candidates), ""

    def held_out(self, training: Sequence[CaseInput], context: FitContext) -> frozenset[str]:
        """Cases that `fit` keeps back to choose the epoch."""
        return held_out_cases(training, self.training, context)

    def blinded(self, fitted: FittedMethod, training: Sequence[CaseInput], context: FitContext) -> FittedMethod | None:
        """`fitted` with a forest that knows no click of the cases held out; its network learnt from none of them.

        None where without them there are too few clicks for a forest: the maps alone would answer otherwise.
        """
        if not isinstance(fitted, FittedWeakMethod) or fitted.forest is None:
            return fitted
        held = self.held_out(training, context)
        forest, _ = self._forest([case for case in training if case.case_id not in held], context)
        if forest is None:
            return None
        return FittedWeakMethod(self.name, fitted.network, fitted.localising, fitted.context, forest)

    def _example(self, case: CaseInput, label: str, correction: float) -> Example:
        """A training case, with its views of the turned patient where the settings use them."""
        pointed = Given.POINT in self.supervision.training and len(case.points_mm) > 0
        turned = [
            Example(
                case_id=case.case_id,
                patient_id=case.patient_id,
                mips=view.mips,
                label=label,
                pixels={plane: view.pixels(plane, case.points_mm) for plane in view.mips.planes} if pointed else {},
            )
            for view in (case.load_turned() if self.training.turns else ())
        ]
        return Example(
            case_id=case.case_id,
            patient_id=case.patient_id,
            mips=corrected(require_mips(case), correction),
            label=label,
            pixels=case.pixels if Given.POINT in self.supervision.training else NO_PIXELS,
            turned=tuple(turned),
        )

    def load(self, folder: Path) -> FittedWeakMethod:
        """Read a model folder.

        Raises:
            ModelError: missing, damaged, or of another method.
        """
        from pointpet.learn.trained import TrainedNetwork

        stored = read_stored(folder, self.name)
        network = TrainedNetwork.from_tensors(stored.tensors, stored.network)
        return FittedWeakMethod(self.name, network, stored.localising, stored.context, stored.forest)
