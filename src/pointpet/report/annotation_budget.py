"""The report's part on annotation effort: the figure, and the table beside it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from pointpet.report.drawing import STYLE, SvgFigure, finish, line_of, panels_of
from pointpet.report.study_folder import Study, value_or_none
from pointpet.report.wording import limits, mean_sd, method_title, number

TABLE = "annotation_budget"
COLUMNS = ("Method", "Class", "Annotated", "Patients", "Effort", "Dice", "95 % interval", "Cases")
ALL_CLASSES = "all classes"
_HOUR = 60.0


def budget_curves(study: Study) -> SvgFigure | None:
    """Dice over the minutes of annotation, a panel a class; None for a study that drew no such curve."""
    table = study.optional(TABLE)
    if table.empty:
        return None
    labels = list(dict.fromkeys(table["label"]))
    methods = list(dict.fromkeys(table["method"]))
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 3.0)
        for panel, label in zip(panels, labels, strict=True):
            for place, method in enumerate(methods):
                own = [row for row in table.to_dict("records") if row["label"] == label and row["method"] == method]
                _draw_curve(panel, own, method, place)
            panel.set(title=ALL_CLASSES if label == "all" else label, xscale="log", ylim=(0, 1.02))
            panel.set_xlabel("annotation a fold, minutes")
            panel.xaxis.set_major_formatter(FuncFormatter(lambda minutes, _: f"{minutes:g}"))
            panel.grid(axis="y")
        panels[0].set_ylabel("Dice, mean over test cases")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(methods))
        return finish(figure, "annotation_budget")


def _draw_curve(panel: Axes, rows: list[dict[Hashable, Any]], method: str, place: int) -> None:
    drawn = [row for row in rows if row["minutes"] > 0]
    minutes, dice = ([float(row[name]) for row in drawn] for name in ("minutes", "dice_mean"))
    style = line_of(method, place)
    part = next((row["part"] for row in drawn), "")
    panel.plot(minutes, dice, marker="o", markersize=4, label=f"{method_title(method)} ({part} patients)", **style)
    for row in drawn:
        low, high = (value_or_none(row[name]) for name in ("dice_lo", "dice_hi"))
        if low is not None and high is not None:
            panel.plot([row["minutes"]] * 2, [low, high], color=style["color"], linewidth=0.9, alpha=0.7)


def budget_rows(study: Study) -> list[tuple[str, ...]]:
    """`COLUMNS` of each row of tables/annotation_budget.csv."""
    return [_row(row) for row in study.optional(TABLE).to_dict("records")]


def _row(row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    return (
        method_title(row["method"]),
        ALL_CLASSES if row["label"] == "all" else row["label"],
        f"{row['given']} on {row['part']} patients",
        f"{float(row['patients']):.0f}" + (" (all)" if row["size"] == "all" else ""),
        effort(float(row["minutes"])),
        mean_sd(value_or_none(row["dice_mean"]), value_or_none(row["dice_sd"])),
        limits(value_or_none(row["dice_lo"]), value_or_none(row["dice_hi"])),
        str(int(row["n_cases"])),
    )


def effort(minutes: float) -> str:
    """`25 s`, `13 min` or `26 h`."""
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 2 * _HOUR else f"{number(minutes / _HOUR, 0)} h"
