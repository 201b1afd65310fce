"""The cases that the report shows, worst first, as many as its size allows."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointpet.report.study_folder import Answer, Study
from pointpet.report.wording import BLANK, flag_text, method_title, number

PICTURE_BUDGET_BYTES = 10_000_000
"""Of picture files; base64 adds a third, so that the whole report stays under 15 MB."""


@dataclass(frozen=True)
class Card:
    """One case of one method, written out. `picture` is a data address."""

    case_id: str
    method: str
    title: str
    label: str
    fold: int
    dice: str
    peak: str
    named: str
    is_wrong: bool
    flags: tuple[str, ...]
    picture: str


@dataclass(frozen=True)
class Gallery:
    """The cards in order, and how many of each method's pictures they are: `(name, title, shown, all)`."""

    cards: tuple[Card, ...]
    counts: tuple[tuple[str, str, int, int], ...]

    @property
    def shown(self) -> int:
        """Number of cards."""
        return len(self.cards)

    @property
    def total(self) -> int:
        """Number of pictures in the study."""
        return sum(total for *_, total in self.counts)


def build_gallery(study: Study, *, budget_bytes: int = PICTURE_BUDGET_BYTES) -> Gallery:
    """Choose and encode pictures: worst cases first within a method.

    The first method may take two thirds of the budget, the others share what is left, turn by turn.
    """
    by_method = {method: _worst_first(study, method) for method in study.methods}
    chosen = _choose(by_method, study.methods, budget_bytes)
    cards = [_card(answer) for method in study.methods for answer in chosen[method]]
    counts = [(name, method_title(name), len(chosen[name]), len(by_method[name])) for name in study.methods]
    return Gallery(tuple(cards), tuple(count for count in counts if count[3]))


def _worst_first(study: Study, method: str) -> list[Answer]:
    """Answers with a picture by rising Dice; without a Dice (no truth, no lesion), false positives first."""
    answers = [answer for answer in study.answers if answer.method == method and answer.picture is not None]

    def badness(answer: Answer) -> tuple[float, float, str]:
        dice, excess = answer.measures.get("dice"), answer.measures.get("fp_ml")
        return (1.0 if dice is None else dice, -(excess or 0.0), answer.case_id)

    return sorted(answers, key=badness)


def _choose(by_method: dict[str, list[Answer]], methods: Sequence[str], budget: int) -> dict[str, list[Answer]]:
    chosen: dict[str, list[Answer]] = defaultdict(list)
    first, *others = methods
    left = budget
    for answer in by_method[first]:
        size = _size(answer)
        if left - size < (budget // 3 if others else 0):
            break
        chosen[first].append(answer)
        left -= size
    for method, answer in _turn_by_turn({name: by_method[name] for name in others}):
        size = _size(answer)
        if left < size:
            break
        chosen[method].append(answer)
        left -= size
    return chosen


def _turn_by_turn(by_method: dict[str, list[Answer]]) -> Iterator[tuple[str, Answer]]:
    for place in range(max(map(len, by_method.values()), default=0)):
        for method, answers in by_method.items():
            if place < len(answers):
                yield method, answers[place]


def _size(answer: Answer) -> int:
    assert answer.picture is not None
    return answer.picture.stat().st_size


def _card(answer: Answer) -> Card:
    assert answer.picture is not None
    measures = answer.measures
    distance = measures.get("distance_mm")
    return Card(
        case_id=answer.case_id,
        method=answer.method,
        title=method_title(answer.method),
        label=answer.label or BLANK,
        fold=answer.fold,
        dice=number(measures.get("dice")),
        peak="" if distance is None else f"peak {distance:.0f} mm off" if distance else "peak inside",
        named=answer.predicted or BLANK,
        is_wrong=answer.predicted is not None and answer.predicted != answer.label,
        flags=tuple(flag_text(flag) for flag in answer.flags),
        picture=_data_address(answer.picture),
    )


def _data_address(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
