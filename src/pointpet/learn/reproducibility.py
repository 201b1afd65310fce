"""Process-wide state of a training: random numbers, threads, messages and interrupts, which it borrows and gives back,
and how freed memory is kept."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pointpet.learn.backend import torch

LIGHTNING_LOGGERS = ("pytorch_lightning", "lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric")

LARGEST_KEPT_BLOCK = 31 * 2**20
"""Bytes; glibc's own upper bound is 32 MiB. A batch of views takes blocks of some MB."""


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next batch; no more than twice `LARGEST_KEPT_BLOCK`, for good.

    glibc gives larger blocks back to the system once they are freed and takes them anew, page by page: in training a
    tenth of a step. It stops doing so for blocks as large as the largest that was freed so far (mallopt(3), "dynamic
    mmap threshold"), so one is taken and freed, its pages untouched. Other C libraries are left as they are.
    """
    torch.empty(LARGEST_KEPT_BLOCK, dtype=torch.uint8)


@contextmanager
def reproducible(seed: int, threads: int) -> Iterator[None]:
    """Seed torch, ask for deterministic algorithms and set the threads (0: as they are); all is restored at the end."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        try:
            torch.manual_seed(seed)
            # On a GPU some kernels have no deterministic twin; on the processor all that are used have one.
            torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
            # Nothing here reads memory that it has not written; to fill all of it first took a twentieth of the time.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            if threads:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.set_num_threads(before)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's remarks on hardware, loggers and loaders, and let Ctrl-C arrive as KeyboardInterrupt.

    Lightning turns an interrupt into `SystemExit` and leaves SIGINT ignored; a caller must see the interrupt itself.
    """
    loggers = [logging.getLogger(name) for name in LIGHTNING_LOGGERS]
    levels = [logger.level for logger in loggers]
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main_thread else None
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning")
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch")
            yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stop
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)


def computes_in_bf16(precision: str) -> bool:
    """Whether to train in bfloat16 where the precision's name is `auto`, `fp32` or `bf16`.

    `auto` takes it where the processor multiplies bfloat16 natively (AVX512-BF16 or AMX), or the GPU does: with
    channels-last that trains 1.7 times as fast as float32. Elsewhere it is emulated and slower.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None)
