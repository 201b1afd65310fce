"""Training in several processes; here alone, and for real under torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pointpet.core import TrainingError
from pointpet.learn import together
from pointpet.learn.lightning_backend import lightning, started_by_launcher, trainer_processes

LAUNCHED = ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_STEP_ID")


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


@pytest.fixture
def launched(monkeypatch):
    """`launched(NAME=value, ...)`: as if a launcher had set these variables, and no others."""

    def set_variables(**variables: str) -> None:
        for name in LAUNCHED:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_alone_everything_is_the_plain_thing(launched):
    launched()
    losses = torch.tensor([1.0, 2.0, 6.0])
    assert together.place() == (0, 1)
    assert together.mean_over_processes(losses).item() == 3.0
    assert together.mean_over_processes(losses[:0]).item() == 0.0
    assert together.somewhere(True)
    assert not together.somewhere(False)
    assert together.from_first(lambda: 5) == 5
    with together.joined() as place:
        assert place == (0, 1)
    norm, plain = together.SharedBatchNorm2d(3), torch.nn.BatchNorm2d(3)
    features = torch.randn(4, 3, 5, 5)
    assert torch.equal(norm(features), plain(features))
    assert list(norm.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("rank", [0, 1])
def test_each_takes_every_other_sample(monkeypatch, rank):
    monkeypatch.setattr(together, "place", lambda: together.Place(rank, 2))
    batch = Pair(torch.arange(5), torch.arange(10).reshape(5, 2))
    (own,) = together.own_share([batch])
    assert own.first.tolist() == list(range(rank, 5, 2))
    assert own.second[:, 0].tolist() == list(range(2 * rank, 10, 4))
    with pytest.raises(TrainingError, match=r"training\.batch_size: every process needs a sample .* 1 for 2 processes"):
        list(together.own_share([Pair(torch.arange(1), torch.arange(1))]))


def test_who_started_this_process(launched):
    launched()
    assert started_by_launcher() is None
    launched(TORCHELASTIC_RUN_ID="x", WORLD_SIZE="4", RANK="2", MASTER_ADDR="host", MASTER_PORT="1")
    environment = started_by_launcher()
    assert (environment.world_size(), environment.global_rank()) == (4, 2)
    launched(TORCHELASTIC_RUN_ID="x", WORLD_SIZE="1")
    assert started_by_launcher() is None
    job = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "1"}
    launched(**job)
    assert started_by_launcher() is None, "a batch script runs once, whatever its job may start"
    launched(**job, SLURM_STEP_ID="0")
    with pytest.raises(
        TrainingError, match=r"a node runs, got --ntasks=2 alone\. Start it with srun --ntasks-per-node=N"
    ):
        started_by_launcher()
    launched(**job, SLURM_STEP_ID="0", SLURM_NTASKS_PER_NODE="2")
    assert started_by_launcher().world_size() == 2


def test_a_training_inside_a_job_stays_one_process(launched):
    launched(SLURM_NTASKS="4", SLURM_JOB_NAME="study", SLURM_NTASKS_PER_NODE="4", SLURM_STEP_ID="0", SLURM_PROCID="0")
    trainer = lightning.Trainer(accelerator="cpu", logger=False, **trainer_processes(1, some_idle=False))
    assert trainer.world_size == 1


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_two_processes_learn_what_one_learns(tmp_path: Path, shared: bool) -> None:
    """Eleven patients in batches of eight views: shares of unequal size, and batches of few views of a plane."""
    write_pictures(tmp_path, 11)
    (tmp_path / "quick.yaml").write_text(
        "training: {epochs: 4, input_mm: 4.0, widths: [4, 4, 4, 4, 4, 4, 8, 8], threads: 1, precision: fp32, "
        f"pooled_share: 0.5, shared_views: {str(shared).lower()}, validation_share: 0.2}}\n"
    )
    train = ["-m", "pointpet", "train", str(tmp_path / "cohort.csv"), "--config", str(tmp_path / "quick.yaml"), "-o"]
    pair = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    printed = [run(*train, str(tmp_path / "one")), run(*pair, *train, str(tmp_path / "two"))]
    assert [text.count("model: ") for text in printed] == [1, 1]
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-3, atol=1e-4, err_msg=name)
    histories = [
        json.loads((tmp_path / name / "model.json").read_text())["network"]["training"]["history"]
        for name in ("one", "two")
    ]
    for first, second in zip(*histories, strict=True):
        assert second["train"]["class_loss"] == pytest.approx(first["train"]["class_loss"], rel=1e-4)
        assert second["criterion"] == pytest.approx(first["criterion"], rel=1e-3)
    assert not list((tmp_path / "two").glob(".c*"))


@pytest.mark.slow
def test_a_fault_of_the_first_process_ends_all(tmp_path: Path) -> None:
    write_pictures(tmp_path, 4)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").touch()
    pair = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "pointpet", "train", str(tmp_path / "cohort.csv"), "-o", str(tmp_path / "m")]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(*pair, *train)
    assert failed.value.stderr.count("error [PP-OUTPUT-EXISTS]: output folder m") == 2


def run(*arguments: str) -> str:
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=variables, timeout=900, check=True
    )
    return done.stdout


def write_pictures(folder: Path, count: int) -> None:
    """Ready-made pictures whose blob's height is the class; every third case has no point."""
    random = np.random.default_rng(0)
    rows = ["case_id,label,mip_coronal,mip_sagittal,pixel_mm,coronal_row,coronal_col,sagittal_row,sagittal_col"]
    for number in range(count):
        label, row = (("lung", 12), ("oesophagus", 36))[number % 2]
        cells = []
        for plane, width in (("coronal", 32), ("sagittal", 24)):
            column = int(random.integers(8, width - 8))
            picture = random.gamma(2.0, 0.3, (48, width)).astype(np.float32)
            picture[row - 2 : row + 3, column - 2 : column + 3] += 8
            np.save(folder / f"{number}_{plane}.npy", picture)
            cells += [str(row), str(column)]
        cells = cells if number % 3 else [""] * 4
        rows.append(",".join([f"P{number}", label, f"{number}_coronal.npy", f"{number}_sagittal.npy", "4", *cells]))
    (folder / "cohort.csv").write_text("\n".join(rows) + "\n")
