"""Figures of the outcome stage, in the style of the other figures."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from pointpet.evaluate.survival import kaplan_meier
from pointpet.report.drawing import ACCENT, QUIET, SECOND, STYLE, SvgFigure, finish, line_of, panels_of
from pointpet.report.study_folder import Study
from pointpet.report.wording import endpoint_title, method_title


def draw_outcome_figures(study: Study) -> list[SvgFigure]:
    """The figures that the study has outcomes for."""
    return [figure for figure in (outcome_roc(study), survival_curves(study)) if figure is not None]


def outcome_roc(study: Study) -> SvgFigure | None:
    """ROC curves of outcome prediction, all folds' answers together, a panel a class and endpoint."""
    cases = study.optional("outcome")
    keys = sorted(set(zip(cases["label"], cases["endpoint"], strict=True)))
    if not keys:
        return None
    with rc_context(STYLE):
        figure, panels = panels_of(len(keys), 3.4)
        for panel, (label, endpoint) in zip(panels, keys, strict=True):
            panel.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
            for place, method in enumerate(study.outcome_methods):
                own = cases.loc[
                    (
                        (cases["label"] == label) & (cases["endpoint"] == endpoint) & (cases["method"] == method)
                    ).to_numpy()
                ]
                truth = own["truth"].to_numpy(int)
                if 0 < truth.sum() < len(truth):
                    false_positive, true_positive, _ = roc_curve(truth, own["probability"].to_numpy(float))
                    panel.plot(false_positive, true_positive, label=method_title(method), **line_of(method, place))
            panel.set(title=f"{label}: {endpoint_title(endpoint)}", xlabel="1 − specificity", aspect="equal")
            panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        panels[0].set_ylabel("sensitivity")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return finish(figure, "outcome_roc")


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
        panels[0].set_ylabel("share without the event")
        panels[-1].legend(loc="lower left")
        return finish(figure, "survival_curves")


def _draw_survival(panel: Axes, days: NDArray[np.float64], events: NDArray[np.int64], colour: str, name: str) -> None:
    curve = kaplan_meier(days, events)
    x = np.concatenate([[0.0], curve.days, [float(days.max())]])
    y = np.concatenate([[1.0], curve.survival, curve.survival[-1:] if len(curve.survival) else [1.0]])
    panel.step(x, y, where="post", color=colour, linewidth=1.6, label=f"{name}, {len(days)}")
    if len(curve.days):
        panel.fill_between(curve.days, curve.low, curve.high, step="post", color=colour, alpha=0.12, linewidth=0)
