"""The report's part on confidence: risk against coverage, calibration of the confidence, and the table beside them."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.ticker import PercentFormatter

from pointpet.evaluate.classification import calibrate
from pointpet.evaluate.confidence import risk_coverage
from pointpet.report.drawing import QUIET, STYLE, SvgFigure, finish, line_of, panels_of
from pointpet.report.study_folder import Study, value_or_none
from pointpet.report.wording import limits, method_title, number, signed

COLUMNS = (
    "Method",
    "Class",
    "Cases",
    "Area",
    "at random",
    "best possible",
    "Gain (95 % interval)",
    "Brier score",
    "Calibration error",
    "Failures",
    "among flagged",
    "in the least sure fifth",
)


def risk_curves(study: Study) -> SvgFigure | None:
    """Risk against coverage, and calibration of the confidence; None for a study without confidence."""
    cases = study.optional("confidence")
    cases = cases.loc[cases["dice"].notna().to_numpy(bool)]
    methods = [method for method in study.methods if method in set(cases["method"])]
    if not methods:
        return None
    with rc_context(STYLE):
        figure, (left, right) = panels_of(2, 3.3, share_y=False)
        right.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
        for place, method in enumerate(methods):
            own = cases.loc[(cases["method"] == method).to_numpy(bool)]
            confidence, risk = own["confidence"].to_numpy(float), 1.0 - own["dice"].to_numpy(float)
            curve = risk_coverage(confidence, risk)
            assert curve is not None
            style = line_of(method, place)
            left.plot(curve.coverage, curve.risk, label=method_title(method), **style)
            left.plot([0, 1], [curve.random] * 2, color=style["color"], linewidth=0.6, linestyle=":")
            bins = calibrate(own["right"].to_numpy(bool), confidence, n_bins=min(10, max(2, len(own) // 10)))
            if bins is not None:
                right.plot(bins.predicted, bins.observed, marker="o", markersize=3.5, **style)
        left.set(title="Risk against coverage", xlabel="cases kept, the surest first", ylabel="risk: mean of 1 − Dice")
        left.set(xlim=(0, 1), ylim=(0, None))
        left.xaxis.set_major_formatter(PercentFormatter(1.0))
        right.set(title="Calibration of the confidence", xlabel="confidence", ylabel="share right and found")
        right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return finish(figure, "risk_coverage")


def trust_rows(study: Study) -> list[tuple[str, ...]]:
    """`COLUMNS` of each row of tables/risk_coverage.csv."""
    rows = []
    for row in study.optional("risk_coverage").to_dict("records"):
        known = {str(name): value_or_none(value) for name, value in row.items() if name not in ("method", "label")}
        failures, cases = int(known["failures"] or 0), int(known["cases"] or 0)
        caught, flagged = int(known["failures_flagged"] or 0), int(known["flagged"] or 0)
        rows.append(
            (
                method_title(row["method"]),
                "all classes" if row["label"] == "all" else row["label"],
                str(cases),
                *(number(known[name]) for name in ("area", "random", "best")),
                f"{signed(known['gain'])} ({limits(known['gain_lo'], known['gain_hi'])})",
                number(known["brier"], 3),
                number(known["calibration_error"]),
                str(failures),
                f"{caught} (of {flagged} flagged)",
                str(int(known["failures_in_lowest_fifth"] or 0)),
            )
        )
    return rows


def trust_sentence(study: Study, method: str) -> str:
    """What the confidence is worth, in words; empty where there is none."""
    row = next((r for r in study.optional("risk_coverage").to_dict("records") if r["method"] == method), None)
    if row is None:
        return ""
    area, random = float(row["area"]), float(row["random"])
    failures, found = int(row["failures"]), int(row["failures_in_lowest_fifth"] or 0)
    worth = (
        f"the mean risk over all coverages is {number(area)} instead of {number(random)} in an order that knows nothing"
    )
    caught = f"; the least sure fifth of the cases holds {found} of its {failures} failures"
    caught = caught if failures else "; nothing failed"
    return f"Ranked by the confidence of {method_title(method)}, {worth}{caught}."


def mean_confidence(study: Study, method: str, case_id: str) -> float | None:
    """A case's confidence by one method; None where it has none."""
    cases = study.optional("confidence")
    found = cases.loc[((cases["method"] == method) & (cases["case_id"] == case_id)).to_numpy(bool), "confidence"]
    return float(np.asarray(found, float)[0]) if len(found) else None
