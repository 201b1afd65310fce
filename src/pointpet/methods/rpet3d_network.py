"""The network of 3D-RPET-Net and its training. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from pointpet.core import TrainingError, derive_seed
from pointpet.learn.backend import nn, torch
from pointpet.learn.reproducibility import reproducible
from pointpet.methods.rpet3d import RpetSettings
from pointpet.outcome.nested import youden_threshold


@dataclass(frozen=True, eq=False)
class FittedNetworks:
    """The networks of one training fold, whose mean answers.

    Args:
        threshold: Youden's, of the probabilities that each network gave to the part it left out.
        parameters: of one network. epochs: of each. seconds: of all together.
    """

    networks: tuple[Any, ...]
    threshold: float
    parameters: int
    epochs: tuple[int, ...]
    seconds: float

    def probabilities(self, patches: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean probability (n,) of the outcome 1 for patches (n, cells, cells, cells)."""
        return np.mean([_answer(network, patches) for network in self.networks], axis=0)


def fit_networks(
    patches: NDArray[np.float32],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    settings: RpetSettings,
    *,
    seed: int,
) -> FittedNetworks:
    """Train on one training fold: class weights, mirrored and shifted patches, early stopping on a part left out.

    Raises:
        TrainingError: fewer patients of one outcome than `splits`.
    """
    started = perf_counter()
    fewest = min(len({p for p, t in zip(patients, truth, strict=True) if t == outcome}) for outcome in (True, False))
    if fewest < settings.splits:
        raise TrainingError(
            "PP-OUTCOME-EVENTS",
            "training fold",
            f"needs {settings.splits} patients of each outcome, got {fewest} of one",
            "Add patients",
        )
    splitter = StratifiedGroupKFold(settings.splits, shuffle=True, random_state=derive_seed(seed, "splits"))
    held_out = np.zeros(len(truth))
    networks, epochs = [], []
    for number, (train, rest) in enumerate(splitter.split(patches, truth, patients)):
        network, count = _train(patches, truth, (train, rest), settings, derive_seed(seed, number))
        held_out[rest] = _answer(network, patches[rest])
        networks.append(network)
        epochs.append(count)
    return FittedNetworks(
        networks=tuple(networks),
        threshold=youden_threshold(truth, held_out),
        parameters=sum(value.numel() for value in networks[0].parameters()),
        epochs=tuple(epochs),
        seconds=perf_counter() - started,
    )


def build_network(settings: RpetSettings) -> Any:
    """Two convolutions with pooling, two fully connected layers, one score."""
    first, second, hidden = settings.widths
    left = settings.cells // 8
    return nn.Sequential(
        # The stride makes the first layer, which sees the most cells, eight times as fast.
        nn.Conv3d(1, first, 5, stride=2, padding=2), nn.BatchNorm3d(first), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(first, second, 3, padding=1), nn.BatchNorm3d(second), nn.ReLU(), nn.MaxPool3d(2),
        nn.Flatten(), nn.Dropout(settings.dropout), nn.Linear(second * left**3, hidden), nn.ReLU(),
        nn.Dropout(settings.dropout), nn.Linear(hidden, 1), nn.Flatten(0),
    )  # fmt: skip


def _train(
    patches: NDArray[np.float32],
    truth: NDArray[np.bool_],
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: RpetSettings,
    seed: int,
) -> tuple[Any, int]:
    """One network with its best validation loss, and the epochs it took to stop."""
    random = np.random.default_rng(seed)
    train, rest = parts
    with reproducible(seed, threads=1):
        network = build_network(settings)
        positives = truth[train].mean()
        loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(float((1 - positives) / positives)))
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        best, state, waited, epoch = np.inf, network.state_dict(), 0, 0
        while epoch < settings.epochs:
            epoch += 1
            network.train()
            order = random.permutation(train)
            # A last batch of one case has no variance to normalise by.
            for start in range(0, len(order) - 1, settings.batch_size):
                batch = order[start : start + settings.batch_size]
                inputs = torch.from_numpy(np.stack([augment(patches[row], random) for row in batch])[:, None])
                loss = loss_of(network(inputs), torch.from_numpy(truth[batch].astype(np.float32)))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            scores = torch.from_numpy(_scores(network, patches[rest]))
            validation = float(loss_of(scores, torch.from_numpy(truth[rest].astype(np.float32))))
            if validation < best:
                best, waited = validation, 0
                state = {name: value.clone() for name, value in network.state_dict().items()}
                continue
            waited += 1
            if waited >= settings.patience:
                break
    network.load_state_dict(state)
    return network, epoch


def augment(patch: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """A new patch: mirrored along random axes, shifted by up to two cells, scaled by up to 10 %."""
    flipped = np.flip(patch, tuple(axis for axis in range(3) if random.random() < 0.5))
    shifts = random.integers(-2, 3, 3)
    padded = np.pad(flipped, 2)
    size = patch.shape[0]
    moved = padded[tuple(slice(2 + shift, 2 + shift + size) for shift in shifts)]
    return (moved * random.uniform(0.9, 1.1)).astype(np.float32)


def _scores(network: Any, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            return network(torch.from_numpy(np.ascontiguousarray(patches)[:, None])).numpy()
    finally:
        network.train(was_training)


def _answer(network: Any, patches: NDArray[np.float32]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-_scores(network, patches).astype(np.float64)))
