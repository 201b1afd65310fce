"""Figures of the outcome stage, in the style of the other figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from pointpet.evaluate.classification import calibrate
from pointpet.evaluate.decision_curve import decision_curve
from pointpet.evaluate.survival import kaplan_meier
from pointpet.report.drawing import ACCENT, QUIET, SECOND, STYLE, SvgFigure, finish, line_of, panels_of
from pointpet.report.study_folder import Study
from pointpet.report.wording import endpoint_title, method_title

ACT_ON_ALL = "act on every case"


def draw_outcome_figures(study: Study) -> list[SvgFigure]:
    """The figures that the study has outcomes for."""
    drawn = (outcome_roc(study), outcome_calibration(study), decision_curves(study), survival_curves(study))
    return [figure for figure in drawn if figure is not None]


def outcome_roc(study: Study) -> SvgFigure | None:
    """ROC curves of outcome prediction, all folds' answers together, a panel a class and endpoint."""

    def draw(panel: Axes, truth: NDArray[np.bool_], chance: NDArray[np.float64], style: dict[str, Any]) -> None:
        false_positive, true_positive, _ = roc_curve(truth, chance)
        panel.plot(false_positive, true_positive, **style)

    return _endpoint_panels(study, "outcome_roc", draw, "1 − specificity", "sensitivity", square=True)


def outcome_calibration(study: Study) -> SvgFigure | None:
    """Predicted probability of the outcome against its observed share, a panel a class and endpoint."""

    def draw(panel: Axes, truth: NDArray[np.bool_], chance: NDArray[np.float64], style: dict[str, Any]) -> None:
        curve = calibrate(truth, chance, n_bins=min(10, max(2, len(truth) // 10)))
        if curve is not None:
            panel.plot(curve.predicted, curve.observed, marker="o", markersize=3.5, **style)

    return _endpoint_panels(study, "outcome_calibration", draw, "predicted probability", "observed share", square=True)


def decision_curves(study: Study) -> SvgFigure | None:
    """Net benefit of acting on the prediction at every threshold, a panel a class and endpoint."""

    def draw(panel: Axes, truth: NDArray[np.bool_], chance: NDArray[np.float64], style: dict[str, Any]) -> None:
        curve = decision_curve(truth, chance)
        assert curve is not None
        prevalence = float(truth.mean())
        panel.plot(curve.thresholds, curve.model, **style)
        if not any(line.get_label() == ACT_ON_ALL for line in panel.lines):
            panel.plot(curve.thresholds, curve.everyone, color=QUIET, linewidth=1.0, label=ACT_ON_ALL)
            panel.axhline(0.0, color=QUIET, linewidth=0.8, linestyle=":")
            panel.set(ylim=(-0.4 * prevalence - 0.02, 1.1 * prevalence), xlim=(0, 1))

    return _endpoint_panels(study, "decision_curves", draw, "threshold probability", "net benefit a case", square=False)


Draw = Callable[[Axes, NDArray[np.bool_], NDArray[np.float64], dict[str, Any]], None]


def _endpoint_panels(study: Study, name: str, draw: Draw, x: str, y: str, *, square: bool) -> SvgFigure | None:
    """A panel a class and endpoint, a line a method; None for a study without outcomes."""
    cases = study.optional("outcome")
    keys = sorted(set(zip(cases["label"], cases["endpoint"], strict=True)))
    if not keys:
        return None
    with rc_context(STYLE):
        figure, panels = panels_of(len(keys), 3.4, share_y=square)
        for panel, (label, endpoint) in zip(panels, keys, strict=True):
            if square:
                panel.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
                panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            for place, method in enumerate(study.outcome_methods):
                chosen = (cases["label"] == label) & (cases["endpoint"] == endpoint) & (cases["method"] == method)
                own = cases.loc[chosen.to_numpy(bool)]
                truth = own["truth"].to_numpy(int) > 0
                if truth.any() and not truth.all():
                    style = line_of(method, place) | {"label": method_title(method)}
                    draw(panel, truth, own["probability"].to_numpy(float), style)
            panel.set(title=f"{label}:\n{endpoint_title(endpoint)}", xlabel=x)
        panels[0].set_ylabel(y)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return finish(figure, name)


def survival_curves(study: Study) -> SvgFigure | None:
    """Kaplan-Meier curves of the risk groups of the report's first method that has them, a panel a class."""
    cases = study.optional("survival")
    method = next((name for name in study.outcome_methods if name in set(cases["method"])), None)
    if method is None:
        return None
    labels = sorted(set(cases.loc[(cases["method"] == method).to_numpy(), "label"]))
    with rc_context(STYLE):
        figure, panels = panels_of(len(labels), 2.8)
        for panel, label in zip(panels, labels, strict=True):
            own = cases.loc[((cases["method"] == method) & (cases["label"] == label)).to_numpy()]
            for high, colour, name in ((0, ACCENT, "low risk"), (1, SECOND, "high risk")):
                group = own.loc[(own["high"] == high).to_numpy()]
                if len(group):
                    _draw_survival(panel, group["time_days"].to_numpy(), group["event"].to_numpy(), colour, name)
            panel.set(title=f"{label}: {method_title(method)}", xlabel="days", ylim=(0, 1.02))
            panel.set_xlim(left=0)
            panel.grid(axis="y")
            panel.legend(loc="lower left")
        panels[0].set_ylabel("share without the event")
        return finish(figure, "survival_curves")


def _draw_survival(panel: Axes, days: NDArray[np.float64], events: NDArray[np.int64], colour: str, name: str) -> None:
    curve = kaplan_meier(days, events)
    x = np.concatenate([[0.0], curve.days, [float(days.max())]])
    y = np.concatenate([[1.0], curve.survival, curve.survival[-1:] if len(curve.survival) else [1.0]])
    panel.step(x, y, where="post", color=colour, linewidth=1.6, label=f"{name}, {len(days)}")
    if len(curve.days):
        panel.fill_between(curve.days, curve.low, curve.high, step="post", color=colour, alpha=0.12, linewidth=0)
