"""Which cases the report's method failed in, and what in its answer says why."""

from __future__ import annotations

from pointpet.evaluate.detection import HIT_TOLERANCE_MM
from pointpet.report.headline import reference_method
from pointpet.report.study_folder import Answer, Study
from pointpet.report.trust import mean_confidence
from pointpet.report.wording import BLANK, flag_text, number

FAILED_DICE = 0.5
"""Below it a mask shares less with the truth than it misses or adds."""

TOO_LARGE, TOO_SMALL = 2.0, 0.5
"""Mask volume over true volume from which an outline is called a leak, or too small."""

COLUMNS = ("Case", "Class", "Why", "Flags", "Dice", "Confidence", "True volume, mL")


def failure_rows(study: Study) -> list[tuple[str, ...]]:
    """`COLUMNS` of the cases of the first method with a wrong class or a Dice below `FAILED_DICE`, worst first."""
    method = reference_method(study)
    failed = [answer for answer in study.answers if answer.method == method and _failed(answer)]
    failed.sort(key=lambda answer: (_dice(answer), answer.case_id))
    return [
        (
            answer.case_id,
            answer.label or BLANK,
            "; ".join(reasons(answer)),
            "; ".join(map(flag_text, answer.flags)) or BLANK,
            number(answer.measures.get("dice")),
            number(mean_confidence(study, method, answer.case_id)),
            number(answer.measures.get("mtv_true_ml"), 1),
        )
        for answer in failed
    ]


def reasons(answer: Answer) -> list[str]:
    """What went wrong, from the class named, the peak of the maps and the volumes."""
    measures = answer.measures
    found = []
    if _named_wrong(answer):
        found.append(f"named {answer.predicted}")
    dice = measures.get("dice")
    if dice is None or dice >= FAILED_DICE:
        return found
    mask_ml, true_ml = measures.get("mtv_ml"), measures.get("mtv_true_ml")
    distance = measures.get("distance_mm")
    if mask_ml == 0:
        found.append("no voxel was outlined")
    elif distance is not None and distance > HIT_TOLERANCE_MM:
        found.append(f"the maps peak {distance:.0f} mm off the tumour")
    elif dice == 0:
        found.append("the mask lies beside the tumour")
    elif mask_ml is not None and true_ml and mask_ml > TOO_LARGE * true_ml:
        found.append(f"the outline leaks: {mask_ml:.0f} mL of {true_ml:.0f} mL")
    elif mask_ml is not None and true_ml and mask_ml < TOO_SMALL * true_ml:
        found.append(f"the outline is too small: {mask_ml:.1f} mL of {true_ml:.1f} mL")
    else:
        found.append("the outline differs in shape or place")
    return found


def _failed(answer: Answer) -> bool:
    return _dice(answer) < FAILED_DICE or _named_wrong(answer)


def _dice(answer: Answer) -> float:
    dice = answer.measures.get("dice")
    return 1.0 if dice is None else dice


def _named_wrong(answer: Answer) -> bool:
    return answer.predicted is not None and answer.label is not None and answer.predicted != answer.label
