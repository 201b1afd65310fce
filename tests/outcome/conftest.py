"""A made-up feature table: two features that speak of the endpoint, copies of them, and noise."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from pointpet.core import FeatureTable, Fold
from pointpet.outcome.endpoint import Endpoint


@dataclass(frozen=True)
class MadeUp:
    endpoint: Endpoint
    folds: tuple[Fold, ...]


def make_endpoint(n=80, *, signal=1.5, noise=20, seed=0, gaps=True) -> MadeUp:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    informative = rng.normal(size=(n, 2)) + signal * truth[:, None]
    values = np.hstack([informative, informative + 1e-3 * rng.normal(size=(n, 2)), rng.normal(size=(n, noise))])
    values = np.exp(values)
    if gaps:
        values[5, 1:] = np.nan
    ids = tuple(f"C{i:03d}" for i in range(n))
    names = ("a", "b", "a_copy", "b_copy", *(f"noise{i}" for i in range(noise)))
    table = FeatureTable(ids, names, ("",) * len(names), ("",) * len(names), values)
    endpoint = Endpoint(table, dict(zip(ids, truth.tolist(), strict=True)), {c: c for c in ids}, {})
    splits = StratifiedKFold(4, shuffle=True, random_state=seed).split(values, truth)
    folds = tuple(
        Fold(k, tuple(ids[i] for i in train), tuple(ids[i] for i in test), seed)
        for k, (train, test) in enumerate(splits)
    )
    return MadeUp(endpoint, folds)


@pytest.fixture(scope="session")
def made_up() -> MadeUp:
    return make_endpoint()
