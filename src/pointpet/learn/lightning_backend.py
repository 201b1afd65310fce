"""The one place that imports Lightning: training needs it, and prediction is spared the two seconds that it takes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch

from pointpet.core import MissingExtraError, TrainingError
from pointpet.core.whole_file import atomic_path

try:
    import pytorch_lightning as lightning
    from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
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


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place.

    Lightning's own way leads through the system's temporary folder: where that lies on another disk it copies over the
    checkpoint that stands, and one that is killed or full at that moment leaves none.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Replace the checkpoint at `path` at once.

        Raises:
            OutputError: the disk is full, or the file system refuses. What stood at `path` stays.
        """
        content = io.BytesIO()  # on a full disk torch itself raises an error that does not say so
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as part:
            part.write_bytes(content.getbuffer())


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
        return {"devices": 1, "plugins": [LightningEnvironment(), WholeCheckpoints()]}
    nodes = int(os.environ.get("GROUP_WORLD_SIZE") or os.environ.get("SLURM_NNODES") or 1)
    strategy = DDPStrategy(find_unused_parameters=some_idle)
    plugins = [environment, WholeCheckpoints()]
    return {"devices": count // nodes, "num_nodes": nodes, "strategy": strategy, "plugins": plugins}
