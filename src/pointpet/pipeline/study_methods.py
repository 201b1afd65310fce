"""Which methods apply to a cohort, and why the others do not."""

from __future__ import annotations

from dataclasses import replace

from pointpet.core import ConfigError, Faults
from pointpet.methods.base import Given, Supervision
from pointpet.methods.rpet3d import OutcomeNetwork
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.prepare import PreparedCohort


def choose_methods(
    names: tuple[str, ...], prepared: PreparedCohort, configuration: Configuration, *, asked_for: bool
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The methods that apply to this cohort, and why the others do not."""
    reasons: dict[str, str] = {}
    faults = []
    for name in names:
        method = configuration.method(name)
        reason = _why_not(method.supervision, prepared)
        if not reason and isinstance(method, OutcomeNetwork):
            reason = _why_no_network(method, prepared, names, configuration)
        if reason and asked_for:
            faults.append(
                ConfigError(
                    "PP-STUDY-METHOD", f"method {name}", reason, "Complete the manifest or leave the method out"
                )
            )
        elif reason:
            reasons[name] = reason
    if faults:
        raise Faults("study", faults)
    chosen = tuple(name for name in names if name not in reasons)
    return chosen, [{"method": name, "reason": reason} for name, reason in reasons.items()]


def _why_not(supervision: Supervision, prepared: PreparedCohort) -> str:
    cases = prepared.cohort.cases
    needed = supervision.training | supervision.testing
    if Given.POINT in needed and not any(case.has_point for case in cases):
        return "needs a point per patient, the cohort has none"
    if Given.MASK in needed and not any(case.has_truth for case in cases):
        return "needs reference masks, the cohort has none"
    if not supervision.trains and not any(case.pet for case in cases):
        return "needs a PET volume, the cohort has ready-made MIPs only"
    return ""


def _why_no_network(
    network: OutcomeNetwork, prepared: PreparedCohort, names: tuple[str, ...], configuration: Configuration
) -> str:
    if not configuration.outcome.enabled:
        return "predicts outcomes, which are switched off"
    if not any(value is not None for case in prepared.cohort for value in case.outcomes.values()):
        return "needs an outcome column, the cohort has none"
    if not any(case.pet for case in prepared.cohort):
        return "needs a PET volume, the cohort has ready-made MIPs only"
    if network.masks_of and network.masks_of not in names:
        return f"needs the masks of {network.masks_of}, which is not in the study"
    return ""


def outcome_networks(names: tuple[str, ...], configuration: Configuration) -> tuple[OutcomeNetwork, ...]:
    """Those of the methods that only predict outcomes."""
    built = [configuration.method(name) for name in names]
    return tuple(
        replace(method, settings=configuration.rpet3d) for method in built if isinstance(method, OutcomeNetwork)
    )
