"""Cross-validation folds and what is measured in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fold:
    """One fold: number from 0, case ids trained on and tested on, and the seed that drew them."""

    number: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class FoldResult:
    """Per-case measures of one method in one fold.

    Args:
        method: the method's name.
        fold: the fold's number.
        cases: case id to measure name to value (None where the measure is not defined for that case).
        config_digest: hash of the configuration that made it.
        version: pointpet's version.
    """

    method: str
    fold: int
    cases: Mapping[str, Mapping[str, float | str | None]]
    config_digest: str
    version: str
