"""Train from the configuration beside a manifest and keep the gradient of every step: alone, or under torchrun."""

import sys
from pathlib import Path

import numpy as np
import torch

from pointpet.learn.epochs import EpochTraining
from pointpet.pipeline.config import load_configuration
from pointpet.pipeline.train import train_model

STEPS: list[np.ndarray] = []


def keep(module: EpochTraining, _: object) -> None:
    """Lightning calls it with the gradients that the optimizer is about to take."""
    # A network whose view a batch does not hold has no gradient.
    slopes = [torch.zeros_like(one) if one.grad is None else one.grad for one in module.networks.parameters()]
    STEPS.append(torch.cat([slope.flatten() for slope in slopes]).detach().numpy().copy())


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    EpochTraining.on_before_optimizer_step = keep
    if train_model(folder / "cohort.csv", out, load_configuration(folder / "quick.yaml")):
        np.save(out / "gradients.npy", np.array(STEPS))
