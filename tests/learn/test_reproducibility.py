import logging
import platform
import signal
import subprocess
import sys

import pytest
import torch

from pointpet.learn import reproducibility
from pointpet.learn.reproducibility import computes_in_bf16, quiet_lightning, reproducible


def test_random_numbers_threads_and_algorithms_are_given_back_after_an_error() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    threads = torch.get_num_threads()

    def fail_inside() -> None:
        with reproducible(1, threads + 1):
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.utils.deterministic.fill_uninitialized_memory
            assert torch.get_num_threads() == threads + 1
            torch.rand(5)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_inside()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(1), expected)


def test_the_seed_decides_the_numbers() -> None:
    numbers = []
    for seed in (1, 1, 2):
        with reproducible(seed, 0):
            numbers.append(torch.rand(3))
    assert torch.equal(numbers[0], numbers[1])
    assert not torch.equal(numbers[0], numbers[2])


def test_an_interrupt_arrives_as_such_and_the_handler_comes_back() -> None:
    handler = signal.getsignal(signal.SIGINT)
    level = logging.getLogger("pytorch_lightning").level

    def interrupted_inside() -> None:
        with quiet_lightning():
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:  # as Lightning does
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                raise SystemExit(1)  # noqa: B904

    with pytest.raises(KeyboardInterrupt):
        interrupted_inside()
    assert signal.getsignal(signal.SIGINT) is handler
    assert logging.getLogger("pytorch_lightning").level == level


def test_an_exit_that_is_no_interrupt_stays_an_exit() -> None:
    with pytest.raises(SystemExit), quiet_lightning():
        raise SystemExit(3)


@pytest.mark.parametrize(
    ("bf16", "amx", "precision", "expected"),
    [
        (True, False, "auto", True),
        (False, True, "auto", True),
        (False, False, "auto", False),
        (True, True, "fp32", False),
        (False, False, "bf16", True),
    ],
)
def test_auto_takes_bf16_where_the_processor_has_it(monkeypatch, bf16, amx, precision, expected) -> None:
    monkeypatch.setattr(reproducibility.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(reproducibility.torch.cpu, "_is_avx512_bf16_supported", lambda: bf16, raising=False)
    monkeypatch.setattr(reproducibility.torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert computes_in_bf16(precision) is expected


def test_auto_takes_fp32_where_torch_does_not_say(monkeypatch) -> None:
    monkeypatch.setattr(reproducibility.torch.cuda, "is_available", lambda: False)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(reproducibility.torch.cpu, name, raising=False)
    assert computes_in_bf16("auto") is False


FAULTS = """
import resource, sys, torch
from pointpet.learn.reproducibility import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
before = 0
for turn in range(11):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(2**21) for _ in range(4)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
def test_freed_memory_is_kept_for_the_next_batch() -> None:
    """Four blocks of 8 MB ten times over: without, their pages are taken anew each time.

    Where a process's other memory happens to lie decides too how much is given back: the best of three counts.
    """
    faults = {how: min(page_faults(how) for _ in range(3)) for how in ("kept", "as it is")}
    assert faults["kept"] < 0.5 * faults["as it is"], faults


def page_faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
