"""Both tables of the paper on phantom patients: every method, five folds, outcomes, beside the published figures.

195 patients, 98 with lung and 97 with oesophageal tumours, as many as the authors had. Compares the proposed
method with every other, and says where another one does better.

    python experiments/paper_tables.py --preset default --work /tmp/tables --out docs/results/tables_default.md
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pages import markdown, printed, shown_command
from provenance import machine

from pointpet.io.artefacts import read_json, write_text
from pointpet.pipeline.config import load_configuration
from pointpet.pipeline.phantom import PhantomRequest, write_phantom
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.report.model_facts import forest_use
from pointpet.report.published import MEASURES, REFERENCE, published_endpoint
from pointpet.report.result_tables import main_rows
from pointpet.report.study_folder import Study, read_study, value_or_none
from pointpet.report.trained_as import section
from pointpet.report.wording import duration, limits, method_title, number, p_value, signed

PROPOSED = "proposed"
COMPARED = {
    **{"dice": "Dice", "nsd_2mm": "surface Dice at 2 mm", "hd95_mm": "HD95, mm (lower is better)", "hit": "hit"},
    **{"auc": "outcome AUC", "accuracy": "outcome accuracy"},
}
"""Measures of comparisons.csv, which has paired differences."""
AVERAGED = {"dice_hull": "Dice of the hull", "class_accuracy": "named as this class"}
"""Measures of table_LABEL.csv alone, which has means over folds and no paired difference."""
LOWER_IS_BETTER = ("hd95_mm",)

TESTS = (
    "p is two-sided and corrected by Holm over the methods of one class, measure and outcome. Dice, surface Dice and "
    "HD95: Wilcoxon's signed-rank test over patients; hit and outcome accuracy: McNemar's exact test over patients; "
    "AUC: Nadeau and Bengio's test of the folds' differences. The interval is that of the mean difference, by "
    "bootstrap over patients. Wilcoxon's test looks at ranks, and that of AUC allows for training as the interval does "
    "not: one may be clear where the other is not."
)


def class_section(study: Study, label: str, best_auc: dict[str, float]) -> list[str]:
    """A class's table: overlap and outcome of each method, then what the paper printed."""
    endpoint = published_endpoint(label)
    rows = []
    for row in main_rows(study, label):
        known = {"method": row.title, "training input": row.training_input, "test input": row.test_input}
        ours = zip(MEASURES, (row.dice, *(row.outcome or ("",) * 4)), strict=True)
        theirs = zip(MEASURES, row.published or ("",) * 5, strict=True)
        rows.append(
            {**known, **dict(ours), "Dice, 95 %": row.dice_limits} | {f"paper: {name}": text for name, text in theirs}
        )
    attainable = f" Outcome: {endpoint}; the best attainable AUC is {best_auc[endpoint]:.2f}." if endpoint else ""
    return [
        f"## {label}",
        "",
        f"Mean ± standard deviation over folds; interval by bootstrap over patients.{attainable}",
        "",
        markdown(pd.DataFrame(rows)),
        "",
        *localisation(study, label),
    ]


def localisation(study: Study, label: str) -> list[str]:
    """Hit and class by method."""
    table = study.tables[label]
    columns = {"hit_mean": "hit", "dice_hull_mean": "Dice of the hull", "hd95_mm_mean": "HD95, mm"}
    columns |= {"class_accuracy_mean": "named as this class", "n_cases": "cases"}
    # A method has a row for each outcome; these figures are the same in all of them.
    shown = table.loc[table["hit_mean"].notna(), ["method", *columns]].drop_duplicates("method")
    shown.columns = ["method", *columns.values()]
    return [markdown(shown.replace({np.nan: ""})), ""]


def difference_row(row: dict[str, Any]) -> dict[str, object]:
    """A row of comparisons.csv for readers."""
    low, high, corrected = (value_or_none(row[name]) for name in ("lo", "hi", "p_corrected"))
    return {
        "class": row["label"],
        "measure": COMPARED[row["measure"]],
        "method": method_title(row["method_b"]),
        "proposed minus it": signed(row["difference"], 3),
        "95 % interval": limits(low, high, 3),
        "p, corrected": p_value(corrected),
        "patients": int(row["n"]),
    }


def is_shown(row: dict[str, Any]) -> bool:
    """True of the proposed method's comparisons; of outcomes, only the one that the paper predicts for the class."""
    asked = row["endpoint"] if isinstance(row["endpoint"], str) else ""
    counts = not asked or asked.removeprefix("outcome_") == published_endpoint(row["label"])
    return counts and row["method_a"] == PROPOSED and row["measure"] in COMPARED


def is_win(row: dict[str, Any]) -> bool:
    """True of a row of comparisons.csv in which the other method's mean is the better one."""
    difference = -row["difference"] if row["measure"] in LOWER_IS_BETTER else row["difference"]
    return is_shown(row) and difference < 0


def better_section(study: Study) -> list[str]:
    """Where another method's mean is better than the proposed method's: paired, else by the means over folds."""
    wins = [difference_row(row) for row in study.comparisons.to_dict("records") if is_win(row)]
    averaged = [row for label in study.labels for row in better_means(study, label)]
    paired = [markdown(pd.DataFrame(wins))] if wins else [f"Nowhere, in {', '.join(COMPARED.values())}."]
    means = [markdown(pd.DataFrame(averaged))] if averaged else [f"Nowhere, in {', '.join(AVERAGED.values())}."]
    return [
        *("## Where another method does better than the proposed one", ""),
        *(*paired, "", "Interval and p as above.", ""),
        f"Not compared in pairs, so without interval and test ({', '.join(AVERAGED.values())}): means over folds.",
        *("", *means, ""),
    ]


def better_means(study: Study, label: str) -> list[dict[str, object]]:
    """Rows of a class in which another method's mean over folds is above the proposed one's."""
    # A method has a row for each outcome; these figures are the same in all of them.
    table = study.tables[label].drop_duplicates("method").set_index("method")
    if PROPOSED not in table.index:
        return []
    methods = [str(method) for method in table.index]
    means = {name: dict(zip(methods, table[f"{name}_mean"].to_numpy(float).tolist(), strict=True)) for name in AVERAGED}
    return [
        {
            "class": label,
            "measure": AVERAGED[name],
            "method": method_title(method),
            "its mean": number(value, 3),
            "proposed": number(column[PROPOSED], 3),
        }
        for name, column in means.items()
        for method, value in column.items()
        if value > column[PROPOSED]
    ]


def paired_section(study: Study) -> list[str]:
    """The proposed method against every other, won or lost, in Dice and in the class's outcome AUC."""
    shown = [row for row in study.comparisons.to_dict("records") if is_shown(row) and row["measure"] in ("dice", "auc")]
    title = ["## The proposed method against every other", ""]
    if not shown:
        return [*title, "Not compared: the study lacks the proposed method, or any other.", ""]
    return [*title, markdown(pd.DataFrame([difference_row(row) for row in shown])), "", TESTS, ""]


def beyond_supervision(study: Study) -> list[str]:
    """By what else than labels, points and masks the U-Net's row differs from the proposed method's."""
    if not {PROPOSED, "unet"} <= {method["name"] for method in study.record["methods"]}:
        return []
    unet, common = section(study, "unet"), section(study, "training")
    turned = unet.get("turns") and unet.get("dimensions") == 2 and not common.get("turns")
    forest = forest_use(study) is not None
    parts = ["the U-Net alone learns from turned views"] if turned else []
    parts += ["the proposed method has a forest of 3D candidates, which the U-Net lacks"] if forest else []
    parts += ["network, loss and schedule differ"]
    text = "The rows of the U-Net and of the proposed method differ by more than what was given in training: "
    return [f"{text}{'; '.join(parts)}.", ""]


def trust_section(study: Study) -> list[str]:
    """Whether unsure and flagged cases are those that fail."""
    table = study.optional("risk_coverage")
    shown = pd.DataFrame(table[table["label"] == "all"])
    if shown.empty:
        return []
    rows = [
        {
            "method": method_title(row["method"]),
            "risk over all coverages": number(row["area"]),
            "random order": number(row["random"]),
            "best order": number(row["best"]),
            "gain over random [95 %]": f"{signed(row['gain'])} [{limits(row['gain_lo'], row['gain_hi'])}]",
            "calibration error": number(row["calibration_error"]),
            "failures": f"{row['failures']:.0f} of {row['cases']:.0f}",
            "flagged": f"{row['flagged']:.0f}",
            "failures flagged": f"{row['failures_flagged']:.0f}",
            "failures among the least sure fifth": f"{row['failures_in_lowest_fifth']:.0f}",
        }
        for row in shown.to_dict("records")
    ]
    note = "Risk: 1 - Dice, the surest cases kept first. Failure: the wrong class, or a mask that misses the tumour."
    return ["## Trust", "", markdown(pd.DataFrame(rows)), "", note, ""]


def effort_section(study: Study) -> list[str]:
    """Parameters, epochs and time of training of each method."""
    rows = [
        {
            "method": method_title(method["name"]),
            "parameters": f"{method['parameters']:,}",
            "epochs (median of folds)": number(float(np.median(method["epochs"])), 0),
            "training of a fold (median)": duration(float(np.median(method["train_seconds"]))),
        }
        for method in study.record["methods"]
        if method["parameters"]
    ]
    return ["## Training", "", markdown(pd.DataFrame(rows)), ""]


def render(arguments: argparse.Namespace, study: Study, best_auc: dict[str, float]) -> str:
    """The page."""
    record = study.record
    started, finished = (datetime.fromisoformat(record[name]) for name in ("created", "finished"))
    spent = (finished - started).total_seconds() / 60
    counts = ", ".join(f"{count} {label}" for label, count in sorted(record["cohort"]["by_label"].items()))
    sections = [line for label in study.labels for line in class_section(study, label, best_auc)]
    failures = ", ".join(f"{failed}" for failed in record["failures"]) or "none"
    return "\n".join(
        [
            f"# Every method of the paper's tables, preset `{arguments.preset}`",
            "",
            f"Command: `{shown_command()}`",
            "",
            f"{machine()}; {spent:.0f} minutes for the study, {arguments.workers} processes, the phantoms apart. "
            f"{record['cohort']['cases']} phantom patients (seed {arguments.phantom_seed}; {counts}), "
            f"{record['folds']} folds, seed {record['seed']}. Failures: {failures}. Paper: {REFERENCE}; its patients "
            "are other ones, so its figures stand beside these for orientation only.",
            "",
            *beyond_supervision(study),
            *sections,
            *paired_section(study),
            *better_section(study),
            *trust_section(study),
            *effort_section(study),
        ]
    )


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="default", choices=("default", "hard"))
    parser.add_argument("--patients", type=int, default=195)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of folds and training")
    parser.add_argument("--phantom-seed", type=int, default=2027)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--config", type=Path, help="YAML configuration")
    parser.add_argument("--work", type=Path, required=True, help="folder for cohort and study; resumed")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    arguments = parse()
    cohort, folder = (arguments.work / f"{kind}_{arguments.preset}" for kind in ("cohort", "study"))
    request = PhantomRequest(arguments.patients, arguments.phantom_seed, arguments.preset, "nifti")
    write_phantom(request, cohort, workers=arguments.workers, report=printed("phantom"))
    asked = StudyRequest(cohort / "cohort.csv", (), arguments.folds, arguments.seed, arguments.workers)
    outcome = run_study(asked, folder, load_configuration(arguments.config), report=printed("study"))
    text = render(arguments, read_study(folder), read_json(cohort / "phantom.json")["best_auc"])
    print(text)
    if arguments.out:
        write_text(arguments.out, text)
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    main()
