"""Several processes that train one network: each takes its share of every batch, and the result is that of one.

`torchrun` or `srun` starts them; `joined` makes them one group. Without a group every function here is the plain thing
that its name says, so that the same training code runs alone and together.

Data-parallel training averages the processes' gradients. So that this is the gradient over the whole batch, a loss is
divided by the number of all processes' samples (`mean_over_processes`), batch normalisation takes its statistics over
all of them (`SharedBatchNorm2d`), and every process builds the whole batch, of which it keeps its share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pointpet.core import TrainingError
from pointpet.learn.backend import nn, torch

distributed = torch.distributed

LONGEST_WAIT = timedelta(days=1)
"""For each other: the first process may have a large cohort to prepare before the others can go on."""

Made = TypeVar("Made")
Batch = TypeVar("Batch", bound=tuple)


class Place(NamedTuple):
    """Which of how many processes this one is."""

    rank: int
    count: int


def place() -> Place:
    """This process's place; (0, 1) where it trains alone."""
    if distributed.is_available() and distributed.is_initialized():
        return Place(distributed.get_rank(), distributed.get_world_size())
    return Place(0, 1)


@contextmanager
def joined() -> Iterator[Place]:
    """Join the processes that `torchrun` or `srun` started, until the block ends; alone where none did."""
    from pointpet.learn.lightning_backend import started_by_launcher

    environment = started_by_launcher()
    if environment is None or distributed.is_initialized():
        yield place()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(environment.local_rank())
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"tcp://{environment.main_address}:{environment.main_port}",
        rank=environment.global_rank(),
        world_size=environment.world_size(),
        timeout=LONGEST_WAIT,
    )
    try:
        yield place()
    finally:
        distributed.destroy_process_group()


def from_first(make: Callable[[], Made]) -> Made:
    """What `make` gives in the first process, in all of them; its error too, or the others would wait for ever."""
    if place().count == 1:
        return make()
    told: list[Any] = [None]
    if place().rank == 0:
        try:
            told = [(make(), None)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again in every process
            told = [(None, error)]
    distributed.broadcast_object_list(told, src=0)
    made, error = told[0]
    if error is not None:
        raise error
    return made


def own_share(batches: Iterable[Batch]) -> Iterator[Batch]:
    """This process's samples of each batch: every n-th one. A batch is a NamedTuple of (B, ...) tensors.

    Raises:
        TrainingError: a batch has fewer samples than there are processes.
    """
    rank, count = place()
    for batch in batches:
        if len(batch[0]) < count:
            raise TrainingError(
                "PP-TRAIN-PROCESSES",
                "training.batch_size",
                f"every process needs a sample of each batch, got one of {len(batch[0])} for {count} processes",
                "Raise it, or start fewer processes",
            )
        yield batch if count == 1 else type(batch)(*(part[rank::count] for part in batch))


def mean_over_processes(losses: torch.Tensor) -> torch.Tensor:
    """Mean of all processes' losses (B,), times what makes the average of its gradients the gradient of that mean.

    Its value in one process is its own share times the number of processes; 0 where there is no loss anywhere.
    """
    count = place().count
    if count == 1:
        return losses.mean() if len(losses) else losses.sum()
    everywhere = torch.tensor(float(len(losses)), device=losses.device)
    distributed.all_reduce(everywhere)
    return losses.sum() * count / everywhere.clamp_min(1)


def somewhere(holds: bool) -> bool:
    """True where it holds in at least one process: what all do or none must be decided together."""
    if place().count == 1:
        return holds
    answer = torch.tensor(float(holds), device=_device())
    distributed.all_reduce(answer, op=distributed.ReduceOp.MAX)
    return bool(answer)


def _device() -> torch.device:
    """Where tensors that are told to the others must lie: NCCL takes those of a GPU only."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def gathered(outcomes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All processes' arrays joined along the first axis, the same in each of them."""
    if place().count == 1:
        return dict(outcomes)
    parts: list[Any] = [None] * place().count
    distributed.all_gather_object(parts, dict(outcomes))
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in outcomes}


class _SumOverProcesses(torch.autograd.Function):
    """Sum of all processes' tensors; each of them passes its slope back to all."""

    @staticmethod
    def forward(_: Any, own: torch.Tensor) -> torch.Tensor:
        """The sum, of the shape of `own`."""
        whole = own.clone()
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(_: Any, slope: torch.Tensor) -> torch.Tensor:
        """Each process's tensor is in every process's sum, so that all their slopes add up."""
        whole = slope.clone()
        distributed.all_reduce(whole)
        return whole


def _sum_over_processes(own: torch.Tensor) -> torch.Tensor:
    return _SumOverProcesses.apply(own)  # type: ignore[return-value]


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over all processes' samples; alone it is torch's own, bit for bit.

    torch's `SyncBatchNorm` runs on GPUs only. The variance is summed about the common mean, so that nothing is lost to
    cancellation.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name
        """Normalise features (B, K, H, W); B may be 0 in some processes."""
        if not self.training or place().count == 1:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        values = input.float()
        own = values.new_tensor([values.numel() // values.shape[1]])
        sums = _sum_over_processes(torch.cat([values.sum((0, 2, 3)), own]))
        number = sums[-1].detach().clamp_min(1)
        mean = sums[:-1] / number
        centred = values - mean[:, None, None]
        variance = _sum_over_processes(centred.square().sum((0, 2, 3))) / number
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * number / (number - 1).clamp_min(1), share)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)
