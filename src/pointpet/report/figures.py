"""The report's figures as SVG: one accent colour for the proposed method, text kept as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from pointpet.evaluate.classification import calibrate
from pointpet.evaluate.detection import HIT_TOLERANCE_MM
from pointpet.report.drawing import (
    ACCENT,
    INK,
    PAPER,
    QUIET,
    STYLE,
    SvgFigure,
    colour_of,
    finish,
    line_of,
    name_rows,
    panels_of,
)
from pointpet.report.headline import mean_interval_of, row_of
from pointpet.report.study_folder import PROBABILITY, Study, numbers
from pointpet.report.wording import method_title

_FAR_MM = 100.0
"""Where the axis of peak distances ends: farther off is lost, no matter how far."""


def draw_figures(study: Study) -> list[SvgFigure]:
    """All figures that the study has results for, in the order of the report."""
    drawn = [
        dice_means(study),
        dice_distributions(study),
        dice_differences(study),
        peak_distances(study),
        class_probabilities(study),
    ]
    return [figure for figure in drawn if figure is not None]


def dice_means(study: Study) -> SvgFigure | None:
    """Forest plot: mean Dice of each method with its interval, by class."""
    labels, methods = _measured(study, "dice")
    if not labels or not methods:
        return None
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 0.32 * len(methods) + 0.9)
        for panel, label in zip(panels, labels, strict=True):
            for row, method in enumerate(methods):
                found = mean_interval_of(row_of(study, label, method), "dice")
                if found is not None:
                    colour = colour_of(method)
                    panel.plot([found.low, found.high], [row, row], color=colour, linewidth=1.6)
                    panel.plot([found.value], [row], "s", color=colour, markersize=5)
                    panel.annotate(
                        f"{found.value:.2f}", (found.high, row), (4, 0), textcoords="offset points", va="center"
                    )
            panel.set(title=label, xlim=(-0.02, 1.12), xlabel="mean Dice, 95 % interval")
            name_rows(panel, [method_title(method) for method in methods])
        return finish(figure, "dice_means")


def dice_distributions(study: Study) -> SvgFigure | None:
    """Dice of every case, by class and method: points, quartiles and mean."""
    labels, methods = _measured(study, "dice")
    if not labels or not methods:
        return None
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 0.34 * len(methods) + 0.9)
        for panel, label in zip(panels, labels, strict=True):
            for row, method in enumerate(methods):
                values = numbers(study.cases(method, label), "dice")
                if len(values):
                    _draw_strip(panel, values, row, colour_of(method))
            panel.set(title=label, xlim=(-0.02, 1.02), xlabel="Dice (3D)" if _is_solid(study) else "Dice (2D)")
            name_rows(panel, [method_title(method) for method in methods])
        return finish(figure, "dice_distributions")


def dice_differences(study: Study) -> SvgFigure | None:
    """Forest plot: how much more Dice the reference method reaches than each other."""
    table = study.compared("dice")
    if table.empty:
        return None
    labels = list(dict.fromkeys(table["label"]))
    methods = [method for method in study.methods if method in set(table["method_b"])]
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 0.32 * len(methods) + 0.9)
        lowest = min(-0.08, 1.08 * float(numbers(table, "lo").min()))
        highest = max(0.08, 1.08 * float(numbers(table, "hi").max()))
        for panel, label in zip(panels, labels, strict=True):
            panel.axvline(0.0, color=INK, linewidth=0.8)
            for entry in table.to_dict("records"):
                if entry["label"] == label and entry["method_b"] in methods:
                    _draw_interval(panel, entry, methods.index(entry["method_b"]))
            title = "all classes" if label == "all" else label
            panel.set(title=title, xlim=(lowest, highest), xlabel="gain in Dice, 95 % interval")
            name_rows(panel, [f"over {method_title(method)}" for method in methods])
        return finish(figure, "dice_differences")


def peak_distances(study: Study) -> SvgFigure | None:
    """Share of cases whose peak lies within a distance of the tumour, by class and method."""
    labels, methods = _measured(study, "distance_mm")
    if not methods or not labels:
        return None
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 2.6)
        for panel, label in zip(panels, labels, strict=True):
            panel.axvline(HIT_TOLERANCE_MM, color=QUIET, linewidth=0.8, linestyle=":")
            for place, method in enumerate(methods):
                distances = np.sort(np.minimum(numbers(study.cases(method, label), "distance_mm"), 2 * _FAR_MM))
                if not len(distances):
                    continue
                x = np.concatenate([[0.0], distances, [2 * _FAR_MM]])
                y = np.concatenate([[0.0], np.arange(1, len(distances) + 1), [len(distances)]]) / len(distances)
                panel.step(x, y, where="post", label=method_title(method), **line_of(method, place))
            panel.set(title=label, xlim=(0, _FAR_MM), ylim=(0, 1.02), xlabel="distance of the peak from the tumour, mm")
            panel.grid(axis="y")
        panels[0].set_ylabel("share of cases")
        panels[-1].legend(loc="lower right")
        return finish(figure, "peak_distances")


def class_probabilities(study: Study) -> SvgFigure | None:
    """ROC curves of all cases together, and calibration, for the first class against the others."""
    classes = [name.removeprefix(PROBABILITY) for name in study.classification if str(name).startswith(PROBABILITY)]
    scores = {method: _truth_and_chance(study, method, classes[0]) for method in study.methods if classes}
    scores = {method: pair for method, pair in scores.items() if pair[0].any() and not pair[0].all()}
    if not scores:
        return None
    positive = classes[0]
    with rc_context(STYLE):
        figure, (left, right) = panels_of(2, 3.4, share_y=False)
        for panel in (left, right):
            panel.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
            panel.set_aspect("equal")
        for place, (method, (truth, chance)) in enumerate(scores.items()):
            false_positive, true_positive, _ = roc_curve(truth, chance)
            left.plot(false_positive, true_positive, label=method_title(method), **line_of(method, place))
            curve = calibrate(truth, chance, n_bins=min(10, max(2, len(truth) // 10)))
            if curve is not None:
                right.plot(curve.predicted, curve.observed, marker="o", markersize=3.5, **line_of(method, place))
        left.set(title=f"ROC, {positive} against the rest", xlabel="1 − specificity", ylabel="sensitivity")
        right.set(title="Calibration", xlabel=f"predicted probability of {positive}", ylabel="observed share")
        for panel in (left, right):
            panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        left.legend(loc="lower right")
        return finish(figure, "class_probabilities")


def _draw_strip(panel: Axes, values: NDArray[np.float64], row: int, colour: str) -> None:
    jitter = np.random.default_rng(row).uniform(-0.2, 0.2, len(values))
    panel.plot(values, row + jitter, "o", color=colour, markersize=3, alpha=0.5, markeredgewidth=0)
    low, middle, high = np.percentile(values, [25, 50, 75])
    panel.plot([low, high], [row, row], color=colour, linewidth=5, alpha=0.45, solid_capstyle="butt")
    panel.plot([middle, middle], [row - 0.28, row + 0.28], color=colour, linewidth=1.8)
    panel.plot([values.mean()], [row], "D", color=colour, markersize=4.5, markeredgecolor=PAPER, markeredgewidth=0.8)


def _draw_interval(panel: Axes, entry: Mapping[Any, Any], row: int) -> None:
    difference, low, high = (float(entry[name]) for name in ("difference", "lo", "hi"))
    colour = QUIET if low <= 0 <= high else ACCENT
    panel.plot([low, high], [row, row], color=colour, linewidth=1.6)
    panel.plot([difference], [row], "s", color=colour, markersize=5)


def _measured(study: Study, measure: str) -> tuple[list[str], list[str]]:
    """Classes and methods that have at least one value of a measure."""
    labels = [label for label in study.labels if len(numbers(study.of_label(label), measure))]
    return labels, [method for method in study.methods if len(numbers(study.cases(method), measure))]


def _truth_and_chance(study: Study, method: str, positive: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each case is of a class, and the probability given to it; cases without a probability left out."""
    rows = study.named(method)
    chance = rows[f"{PROBABILITY}{positive}"].astype(float).to_numpy()
    known = np.isfinite(chance)
    return (rows["truth"] == positive).to_numpy(bool)[known], chance[known]


def _is_solid(study: Study) -> bool:
    """True where the masks are volumes; false where ready-made pictures leave no volume to measure."""
    return len(numbers(study.segmentation, "mtv_ml")) > 0
