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


QUICK = (
    "training: {epochs: 4, input_mm: 12.0, radius_mm: 72.0, shift_mm: 72.0, widths: [4, 4, 4, 4, 4, 4, 8, 8], "
    "threads: 1, precision: fp32, pooled_share: 0.5, validation_share: 0.2, "
)
PAIR = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["true", "false"])
def test_two_processes_descend_the_gradient_of_one(tmp_path: Path, shared: str) -> None:
    """The gradients of every step, at weights that hardly move: AdamW would blow rounding up where a slope is nil.

    Eleven patients in batches of eight views: batches of odd size and of few views of a plane, cases without a point.
    """
    write_pictures(tmp_path, 11)
    still = f"shared_views: {shared}, learning_rate: 1.0e-9, weight_decay: 0.0}}\n"
    (tmp_path / "quick.yaml").write_text(QUICK + still)
    script = [str(Path(__file__).with_name("record_gradients.py")), str(tmp_path)]
    run(*script, str(tmp_path / "one"))
    run(*PAIR, *script, str(tmp_path / "two"))
    one, two = (np.load(tmp_path / name / "gradients.npy") for name in ("one", "two"))
    assert one.shape == two.shape
    assert len(one) > 8
    length = np.linalg.norm(one, axis=1)
    apart = np.linalg.norm(two - one, axis=1) / length
    assert length.min() > 1e-3
    # Where two cells tie for a maximum, rounding decides which of them the slope passes through.
    assert np.median(apart) < 1e-4
    assert apart.max() < 0.05


@pytest.mark.slow
def test_a_training_of_two_processes_is_written_once_and_ends_as_that_of_one(tmp_path: Path) -> None:
    write_pictures(tmp_path, 11)
    (tmp_path / "quick.yaml").write_text(QUICK + "shared_views: false}\n")
    train = ["-m", "pointpet", "train", str(tmp_path / "cohort.csv"), "--config", str(tmp_path / "quick.yaml"), "-o"]
    printed = [run(*train, str(tmp_path / "one")), run(*PAIR, *train, str(tmp_path / "two"))]
    assert [text.count("model: ") for text in printed] == [1, 1]
    records = [
        json.loads((tmp_path / name / "model.json").read_text())["network"]["training"] for name in ("one", "two")
    ]
    for first, second in zip(*(record["history"] for record in records), strict=True):
        assert second["train"]["class_loss"] == pytest.approx(first["train"]["class_loss"], rel=1e-3)
        assert second["criterion"] == pytest.approx(first["criterion"], rel=1e-2)
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    moved = {name: np.abs(two[name] - values).mean() for name, values in one.items()}
    assert max(moved.values()) < 1e-2, moved
    assert not list((tmp_path / "two").glob(".c*"))


@pytest.mark.slow
def test_a_fault_of_the_first_process_ends_all(tmp_path: Path) -> None:
    write_pictures(tmp_path, 4)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").touch()
    train = ["-m", "pointpet", "train", str(tmp_path / "cohort.csv"), "-o", str(tmp_path / "m")]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(*PAIR, *train)
    assert failed.value.stderr.count("error [PP-OUTPUT-EXISTS]: output folder m") == 2


def run(*arguments: str) -> str:
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=variables, timeout=900, check=True
    )
    return done.stdout


def write_pictures(folder: Path, count: int) -> None:
    """Ready-made pictures whose blob's height is the class; every third case has no point. Pixels of 12 mm make them
    as wide as a body, so that their size is believed."""
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
        rows.append(",".join([f"P{number}", label, f"{number}_coronal.npy", f"{number}_sagittal.npy", "12", *cells]))
    (folder / "cohort.csv").write_text("\n".join(rows) + "\n")
