"""CLAIM, TRIPOD+AI and CLEAR, filled from what the run knows; the rest is marked as not provided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from pointpet.report.methods_text import uncited

NOT_PROVIDED = "not provided"
NAMES = ("claim", "tripod_ai", "clear")


@dataclass(frozen=True)
class Checklist:
    """A reporting guideline with this study's answers.

    Args:
        rows: item number, its subject in short, the answer or `NOT_PROVIDED`.
        answered: how many items have an answer.
    """

    name: str
    title: str
    source: str
    rows: tuple[tuple[str, str, str], ...]
    answered: int


def fill_checklists(facts: Mapping[str, str]) -> list[Checklist]:
    """The three checklists; an item whose topic `facts` lacks is `NOT_PROVIDED`."""
    return [_fill(_template(name), facts) for name in NAMES]


def checklist_topics() -> set[str]:
    """Topics that any checklist asks for."""
    return {topic for name in NAMES for *_, topic in _template(name)["items"] if topic}


@cache
def _template(name: str) -> dict:
    text = files("pointpet.report").joinpath("checklists", f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def _fill(template: Mapping, facts: Mapping[str, str]) -> Checklist:
    rows = tuple(
        (item, subject, uncited(facts[topic]) if topic in facts else NOT_PROVIDED)
        for item, subject, topic in template["items"]
    )
    answered = sum(answer != NOT_PROVIDED for *_, answer in rows)
    return Checklist(template["name"], template["title"], template["source"], rows, answered)
