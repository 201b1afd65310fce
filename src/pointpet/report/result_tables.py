"""Rows of the report's tables, written out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.evaluate.classification import (
    auc_by_fold,
    balanced_accuracy,
    brier_score,
    calibrate,
    delong_interval,
    pr_auc,
)
from pointpet.report.headline import hit_interval, is_flat, reference_method, right_interval, row_of
from pointpet.report.published import MEASURES, PublishedRow, published_rows
from pointpet.report.study_folder import PROBABILITY, Study, numbers, value_or_none
from pointpet.report.wording import (
    BLANK,
    duration,
    endpoint_title,
    flag_text,
    limits,
    mean_sd,
    method_title,
    number,
    p_value,
    share,
    signed,
    with_interval,
)

OUTCOME_MEASURES = ("accuracy", "sensitivity", "specificity", "auc")
COMPARISON_COLUMNS = ("Class", "Difference", "Mean", "95 % interval", "p", "p corrected", "Patients")
_COMPARED = {
    "dice": "Dice",
    "nsd_2mm": "NSD at 2 mm",
    "hd95_mm": "HD95 in mm (negative is better)",
    "hit": "Hit: peak within 16 mm",
}


_MEASURED = {
    False: (("dice_hull", 2), ("nsd_2mm", 2), ("hd95_mm", 1), ("fp_ml", 0), ("fn_ml", 0)),
    True: (("nsd_2mm", 2), ("hd95_mm", 1), ("fp_cm2", 1), ("fn_cm2", 1)),
}
"""Measures beside the Dice, with their digits, of volumes (False) and of ready-made pictures (True)."""


@dataclass(frozen=True)
class MainRow:
    """One method's row of a class's main table; `outcome` and `published` are empty where there is nothing."""

    title: str
    training_input: str
    test_input: str
    is_reference: bool
    dice: str
    dice_limits: str
    outcome: tuple[str, ...]
    published: tuple[str, ...]


def main_rows(study: Study, label: str) -> list[MainRow]:
    """This study's row of each method beside the published one; published methods that did not run come last."""
    published = dict(published_rows(label))
    given = {method["name"]: method for method in (*study.record["methods"], *study.references)}
    rows = []
    for method in dict.fromkeys((*study.methods, *study.outcome_methods)):
        row = row_of(study, label, method)
        if row:
            rows.append(
                MainRow(
                    title=method_title(method),
                    training_input=given[method]["training_input"],
                    test_input=given[method]["test_input"],
                    is_reference=method == reference_method(study),
                    dice=mean_sd(value_or_none(row["dice_mean"]), value_or_none(row["dice_sd"])),
                    dice_limits=limits(value_or_none(row["dice_lo"]), value_or_none(row["dice_hi"])),
                    outcome=_outcome(row),
                    published=_published(published.pop(method, None)),
                )
            )
    rows += [
        MainRow(method_title(name), "", "", False, "not run", "", (), _published(row))
        for name, row in published.items()
    ]
    return rows


def measure_rows(study: Study, label: str) -> list[tuple[str, ...]]:
    """Other measures of each method's masks: title, cases, then the cells."""
    rows = []
    for method in study.methods:
        row = row_of(study, label, method)
        if not row or not len(study.cases(method, label)):
            continue
        cells = [
            mean_sd(value_or_none(row.get(f"{name}_mean")), value_or_none(row.get(f"{name}_sd")), digits)
            for name, digits in _MEASURED[is_flat(study)]
        ]
        empty = sum(1 for value in numbers(study.cases(method, label), "dice") if value == 0)
        rows.append((method_title(method), str(len(study.cases(method, label))), *cells, str(empty)))
    return rows


def measure_columns(study: Study) -> list[str]:
    """Heads of `measure_rows`."""
    excess = ("cm²" if is_flat(study) else "mL",) * 2
    hull = [] if is_flat(study) else ["Dice of the hull"]
    errors = [f"{name}, {unit}" for name, unit in zip(("False positive", "False negative"), excess, strict=True)]
    return ["Method", "Cases", *hull, "NSD at 2 mm", "HD95, mm", *errors, "Missed"]


def comparison_tables(study: Study) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Each measure in words with its rows: `COMPARISON_COLUMNS`."""
    tables: dict[str, list[tuple[str, ...]]] = {}
    for row in study.comparisons.to_dict("records"):
        if row["measure"] in OUTCOME_MEASURES:
            continue
        digits = 1 if row["measure"] == "hd95_mm" else 2
        tables.setdefault(row["measure"], []).append(
            (
                "all classes" if row["label"] == "all" else str(row["label"]),
                f"{method_title(row['method_a'])} − {method_title(row['method_b'])}",
                signed(value_or_none(row["difference"]), digits),
                limits(value_or_none(row["lo"]), value_or_none(row["hi"]), digits),
                p_value(value_or_none(row["p"])),
                p_value(value_or_none(row["p_corrected"])),
                str(int(row["n"])),
            )
        )
    return [(_COMPARED.get(measure, measure), rows) for measure, rows in tables.items()]


def localisation_rows(study: Study) -> list[tuple[str, ...]]:
    """Class, method, hit, strict hit, median and quartiles of the distance, cases."""
    rows = []
    for label in study.labels:
        for method in study.methods:
            distances = numbers(study.cases(method, label), "distance_mm")
            if not len(distances):
                continue
            low, middle, high = np.percentile(distances, [25, 50, 75])
            rows.append(
                (
                    label,
                    method_title(method),
                    share(hit_interval(study, method, label)),
                    share(hit_interval(study, method, label, "hit_strict")),
                    f"{middle:.0f} ({low:.0f} to {high:.0f})",
                    str(len(distances)),
                )
            )
    return rows


@dataclass(frozen=True)
class ClassifierRow:
    """How one method tells classes apart.

    Args:
        by_class: class, prevalence, AUC over folds, of each fold and pooled, PR-AUC, calibration error; one a class.
        confusion: true class, then the count of each predicted class.
        undefined: note on folds without an AUC; empty where there is none.
    """

    title: str
    cases: int
    accuracy: str
    balanced: str
    brier: str
    by_class: list[tuple[str, ...]]
    confusion: list[tuple[str, ...]]
    columns: list[str]
    undefined: str


def classifier_rows(study: Study) -> list[ClassifierRow]:
    """One a method that classifies."""
    classes = [
        str(name).removeprefix(PROBABILITY) for name in study.classification if str(name).startswith(PROBABILITY)
    ]
    return [_classifier_row(study, method, classes) for method in study.methods if len(study.named(method))]


def _classifier_row(study: Study, method: str, classes: Sequence[str]) -> ClassifierRow:
    rows = study.named(method)
    truth, predicted = rows["truth"].to_numpy(str), rows["predicted"].to_numpy(str)
    folds = rows["fold"].to_numpy(int)
    chances = rows[[f"{PROBABILITY}{name}" for name in classes]].astype(float).to_numpy()
    by_class, undefined = [], 0
    # With two classes the second one's figures are the first one's mirrored.
    for place, name in enumerate(classes if len(classes) > 2 else classes[:1]):
        cells, missing = _class_cells(truth == name, chances[:, place], folds)
        by_class.append((name, *cells))
        undefined += missing
    columns = sorted({*truth, *predicted})
    return ClassifierRow(
        title=method_title(method),
        cases=len(truth),
        accuracy=share(right_interval(study, method)),
        balanced=number(balanced_accuracy(truth, predicted)),
        brier=number(brier_score(list(truth), chances, classes), 3),
        by_class=by_class,
        confusion=[
            (name, *(str(int(((truth == name) & (predicted == c)).sum())) for c in columns)) for name in columns
        ],
        columns=columns,
        undefined=f"undefined in {undefined} folds, which the mean leaves out" if undefined else "",
    )


def _class_cells(
    positive: NDArray[np.bool_], chance: NDArray[np.float64], folds: NDArray[np.int64]
) -> tuple[tuple[str, ...], int]:
    areas = auc_by_fold(positive, chance, folds)
    curve = calibrate(positive, chance)
    cells = (
        number(float(positive.mean())),
        mean_sd(areas.mean, areas.sd) if areas.mean is not None else "n/a",
        ", ".join("n/a" if value is None else number(value) for value in areas.values),
        with_interval(delong_interval(positive, chance)),
        number(pr_auc(positive, chance)),
        BLANK if curve is None else number(curve.expected_error),
    )
    return cells, areas.undefined


def flag_rows(study: Study) -> list[tuple[str, ...]]:
    """Flag in words, then how many cases of each method carry it."""
    counts = {method: Counter[str]() for method in study.methods}
    for answer in study.answers:
        if answer.method in counts:
            counts[answer.method].update(answer.flags)
    flags = sorted({flag for counter in counts.values() for flag in counter})
    return [(flag_text(flag), *(str(counts[method][flag] or BLANK) for method in study.methods)) for flag in flags]


def training_rows(study: Study) -> list[tuple[str, ...]]:
    """Title, what it is, parameters, epochs and time a fold."""
    return [_training_row(method) for method in study.record["methods"] if method["name"] in study.methods]


def _training_row(method: dict[str, Any]) -> tuple[str, ...]:
    epochs = [value for value in method.get("epochs", []) if value is not None]
    seconds = [value for value in method.get("train_seconds", []) if value is not None]
    parameters = method.get("parameters")
    return (
        method_title(method["name"]),
        method["summary"],
        BLANK if parameters is None else f"{parameters:,}".replace(",", "\u202f"),
        ", ".join(str(value) for value in epochs) or BLANK,
        duration(float(np.mean(seconds))) if seconds else BLANK,
    )


def shown_endpoint(study: Study, label: str) -> str:
    """The endpoint of a class's main table in words: the first of its rows; empty where there is none."""
    rows = study.tables[label].to_dict("records")
    return next((endpoint_title(row["endpoint"]) for row in rows if isinstance(row.get("endpoint"), str)), "")


def has_outcome(study: Study, label: str) -> bool:
    """True where any method of the study predicted an outcome of this class."""
    return any(_outcome(row_of(study, label, method)) for method in (*study.methods, *study.outcome_methods))


def _outcome(row: dict[str, Any]) -> tuple[str, ...]:
    values = [(value_or_none(row.get(f"{n}_mean")), value_or_none(row.get(f"{n}_sd"))) for n in OUTCOME_MEASURES]
    return tuple(mean_sd(*pair) for pair in values) if any(mean is not None for mean, _ in values) else ()


def _published(row: PublishedRow | None) -> tuple[str, ...]:
    if row is None:
        return ()
    values = [getattr(row, name) for name in MEASURES]
    return tuple(BLANK if value is None else mean_sd(*value) for value in values)
