"""How the report's figures look: colours, type, panels, and the step from matplotlib to SVG.

A figure is drawn once in fixed colours. Its file in figures/ keeps them; the report replaces them by the page's own
colours, so that the same figure reads on light and dark ground.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, RULE, ACCENT, QUIET, SECOND, PAPER = "#22282e", "#d9dcde", "#0b5fa5", "#7b858e", "#c2410c", "#fefefe"
_PAGE_COLOURS = {
    INK: "var(--ink)",
    RULE: "var(--rule)",
    ACCENT: "var(--accent)",
    QUIET: "var(--quiet)",
    SECOND: "var(--second)",
    PAPER: "none",
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pointpet",
    "text.parse_math": False,
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
}
_WIDTH_IN = 9.0


@dataclass(frozen=True)
class SvgFigure:
    """A figure under its file's stem; `svg` is complete and in fixed colours."""

    name: str
    svg: str

    @property
    def inline(self) -> str:
        """The figure for the page: its colours and type, ids of its own, no prologue."""
        body = self.svg[self.svg.index("<svg") :]
        body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
        for colour, variable in _PAGE_COLOURS.items():
            body = body.replace(colour, variable)
        body = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", body)
        body = re.sub(r'\bid="', f'id="{self.name}-', body)
        body = re.sub(r"url\(#", f"url(#{self.name}-", body)
        body = re.sub(r'href="#', f'href="#{self.name}-', body)
        return re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", re.sub(r'(<svg [^>]*?)height="[^"]*"', r"\1", body))


def panels_of(count: int, height_in: float, *, share_y: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width with `count` panels side by side."""
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots(1, count, sharey=share_y, squeeze=False)
    return figure, list(axes[0])


def name_rows(panel: Axes, names: Sequence[str]) -> None:
    """Rows with a name each, the first on top, in place of a y axis."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(axis="x")
    panel.set_axisbelow(True)


def colour_of(method: str) -> str:
    """The accent for the proposed method, grey for the others."""
    return ACCENT if method == "proposed" else QUIET


def line_of(method: str, place: int) -> dict[str, Any]:
    """Line of a method: the proposed one solid in the accent, the others told apart by colour and dash."""
    if method == "proposed":
        return {"color": ACCENT, "linewidth": 1.8}
    return {
        "color": (SECOND, INK, QUIET)[place % 3],
        "linewidth": 1.2,
        "linestyle": ("--", "-.", ":")[place // 3 % 3],
    }


def finish(figure: Figure, name: str) -> SvgFigure:
    """The figure as SVG; equal figures are equal bytes."""
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return SvgFigure(name, target.getvalue())
