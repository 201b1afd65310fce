"""The one place that imports Lightning: training needs it, and prediction is spared the two seconds that it takes."""

from __future__ import annotations

import os
from typing import Any

from pointpet.core import MissingExtraError, TrainingError

try:
    import pytorch_lightning as lightning
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from pytorch_lightning.callbacks import ModelCheckpoint
    from pytorch_lightning.strategies import DDPStrategy
except ImportError as error:
    raise MissingExtraError(
        "PP-EXTRA-TRAIN",
        "training",
        f"needs pytorch-lightning, missing: {error.name}",
        "Install it: pip install 'pointpet[train]'",
    ) from error

__all__ = ["ModelCheckpoint", "lightning", "started_by_launcher", "trainer_processes"]


def started_by_launcher() -> ClusterEnvironment | None:
    """What started this process as one of several: `torchrun` or SLURM's `srun`; None where nothing did.

    A batch script itself runs once, with the variables of its job; only `srun` starts a step's processes.

    Raises:
        TrainingError: `srun` without the number of processes a node.
    """
    if TorchElasticEnvironment.detect():
        environment: ClusterEnvironment = TorchElasticEnvironment()
    elif SLURMEnvironment.detect() and "SLURM_STEP_ID" in os.environ:
        environment = _slurm_step()
    else:
        return None
    return environment if environment.world_size() > 1 else None


def _slurm_step() -> ClusterEnvironment:
    try:
        return SLURMEnvironment()
    except RuntimeError as error:  # Lightning's word for a step that does not say how it spreads over nodes
        raise TrainingError(
            "PP-TRAIN-SLURM",
            "SLURM step",
            f"must say how many processes a node runs, got --ntasks={os.environ['SLURM_NTASKS']} alone",
            "Start it with srun --ntasks-per-node=N",
        ) from error


def trainer_processes(count: int, *, some_idle: bool) -> dict[str, Any]:
    """Arguments of a `Trainer` for `count` processes that are already joined, or for this one alone.

    `some_idle`: there may be batches from which some weights learn nothing.

    Alone it is told so: Lightning would take the variables of a SLURM job for an order to start more.
    """
    environment = started_by_launcher() if count > 1 else None
    if environment is None:
        return {"devices": 1, "plugins": [LightningEnvironment()]}
    nodes = int(os.environ.get("GROUP_WORLD_SIZE") or os.environ.get("SLURM_NNODES") or 1)
    strategy = DDPStrategy(find_unused_parameters=some_idle)
    return {"devices": count // nodes, "num_nodes": nodes, "strategy": strategy, "plugins": [environment]}
