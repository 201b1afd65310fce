"""The main tables as LaTeX, for a paper: booktabs, one file a class."""

from __future__ import annotations

from pointpet.report.result_tables import MainRow, has_outcome, main_rows, shown_endpoint
from pointpet.report.study_folder import Study, file_stem

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
}


def latex_tables(study: Study) -> dict[str, str]:
    """File name to text of each class's table."""
    return {f"table_{file_stem(label)}.tex": latex_table(study, label) for label in study.labels}


def latex_table(study: Study, label: str) -> str:
    """A class's main table; methods that only the paper has are left out."""
    outcome = has_outcome(study, label)
    head = ["Method", "Training input", "Test input", "Dice", "95\\,\\% interval"]
    head += ["Accuracy", "Sensitivity", "Specificity", "AUC"] if outcome else []
    rows = [_row(row, outcome) for row in main_rows(study, label) if row.training_input]
    caption = (
        f"{escaped(label)}: mean $\\pm$ standard deviation over {study.record['folds']} folds, "
        "95\\,\\% interval by bootstrap over patients."
        + (f" Outcome: {escaped(shown_endpoint(study, label))}." if outcome else "")
    )
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            f"\\caption{{{caption}}}",
            f"\\begin{{tabular}}{{lll{'r' * (len(head) - 3)}}}",
            "\\toprule",
            " & ".join(head) + " \\\\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
            "",
        ]
    )


def _row(row: MainRow, outcome: bool) -> str:
    cells = [row.title, row.training_input, row.test_input, row.dice, row.dice_limits]
    cells += list(row.outcome or ("–",) * 4) if outcome else []
    return " & ".join(map(escaped, cells)) + " \\\\"


def escaped(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
