"""The part of its training cases that a method does not learn weights from: it serves to calibrate confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pointpet.learn.settings import TrainingSettings
from pointpet.learn.validation import validation_patients
from pointpet.methods.base import CaseInput, FitContext, FittedMethod


@runtime_checkable
class HoldsOut(Protocol):
    """A method that keeps training cases back to choose its epoch."""

    def held_out(self, training: Sequence[CaseInput], context: FitContext) -> frozenset[str]:
        """Case ids that `fit` on the same arguments keeps back."""
        ...

    def blinded(self, fitted: FittedMethod, training: Sequence[CaseInput], context: FitContext) -> FittedMethod | None:
        """`fitted`, which `fit` gave, without anything that was learnt from the cases held out; None where there is no
        such thing."""
        ...


def held_out_cases(training: Sequence[CaseInput], settings: TrainingSettings, context: FitContext) -> frozenset[str]:
    """Case ids of the patients that a training by `settings` chooses its epoch on."""
    labels: dict[str, int] = {}
    for case in sorted(training, key=lambda case: case.case_id):
        if case.label:
            labels.setdefault(case.patient_id, context.classes.index(case.label))
    held = validation_patients(labels, settings.validation_share, context.seed)
    return frozenset(case.case_id for case in training if case.label and case.patient_id in held)
