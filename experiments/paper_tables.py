"""Both tables of the paper on phantom patients: every method, five folds, outcomes, beside the published figures.

195 patients, 98 with lung and 97 with oesophageal tumours, as many as the authors had. Says where another method does
better than the proposed one.

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
from pointpet.report.published import MEASURES, REFERENCE, published_endpoint
from pointpet.report.result_tables import main_rows
from pointpet.report.study_folder import Study, read_study
from pointpet.report.wording import duration, limits, method_title, number, p_value, signed

PROPOSED = "proposed"
BETTER = {"dice": "Dice", "hit": "hit", "auc": "outcome AUC", "accuracy": "outcome accuracy"}


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
    shown = table[["method", *columns]].rename(columns=columns).dropna(subset=["hit"]).drop_duplicates("method")
    return [markdown(shown.replace({np.nan: ""})), ""]


def better_section(study: Study) -> list[str]:
    """Where another method's mean is above the proposed method's, with the paired difference."""
    wins = [row for row in study.comparisons.to_dict("records") if is_win(row)]
    title = ["## Where another method does better than the proposed one", ""]
    if not wins:
        return [*title, f"Nowhere, in {', '.join(BETTER.values())}.", ""]
    rows = [
        {
            "class": row["label"],
            "measure": BETTER[row["measure"]],
            "method": method_title(row["method_b"]),
            "proposed minus it": signed(row["difference"], 3),
            "95 % interval": limits(row["lo"], row["hi"], 3),
            "p, corrected": p_value(row["p_corrected"]),
            "patients": int(row["n"]),
        }
        for row in wins
    ]
    return [*title, markdown(pd.DataFrame(rows)), ""]


def is_win(row: dict[str, Any]) -> bool:
    """True of a row of comparisons.csv in which the proposed method's mean is the lower one.

    Of outcomes, the one that the paper predicts for the class.
    """
    asked = row["endpoint"] if isinstance(row["endpoint"], str) else ""
    counts = not asked or asked.removeprefix("outcome_") == published_endpoint(row["label"])
    return counts and row["method_a"] == PROPOSED and row["measure"] in BETTER and row["difference"] < 0


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
            *sections,
            *better_section(study),
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
