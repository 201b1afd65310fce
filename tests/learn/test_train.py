import json
import random
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pointpet.core import MipPair, OutputError, Plane, TrainingError
from pointpet.learn.epochs import CHECKPOINT, SETTLED_SHARE, SMOOTHED_EPOCHS
from pointpet.learn.train import train

CLASSES = ("lung", "oesophagus")


def weights_differ(first, second) -> list[str]:
    one, two = first.tensors(), second.tensors()
    assert one.keys() == two.keys()
    return [name for name in one if not np.array_equal(one[name], two[name])]


@pytest.fixture(scope="module")
def learnt(synthetic, quick):
    return train(synthetic(40), quick(epochs=14, widths=(12,) * 8), seed=0, classes=CLASSES)


def test_it_learns_the_class_and_where_the_lesion_is(synthetic, learnt) -> None:
    right, distances = [], []
    for example in synthetic(20, seed=9):
        activation = learnt.activate(example.mips)
        right.append(activation.predicted == example.label)
        for plane, map_ in activation.maps.items():
            u, z = map_.peak_cell
            shape = map_.values.shape
            column = shape[0] - 1 - u
            away = np.array([shape[1] - 1 - z, column]) - example.pixels[plane][0]
            distances.append(np.linalg.norm(away) * map_.pixel_mm)
    assert np.mean(right) >= 0.9
    assert np.mean(np.array(distances) <= 16.0) >= 0.85


def test_the_record_tells_what_happened_and_survives_json(learnt) -> None:
    record = json.loads(json.dumps(learnt.record))
    training = record["training"]
    assert record["classes"] == list(CLASSES)
    assert training["seed"] == 0
    assert training["cases"] == 40
    assert training["epochs"] == len(training["history"]) == 14
    assert training["parameters"] == sum(
        value.size for name, value in learnt.tensors().items() if "running" not in name and "num_batches" not in name
    )
    criteria = [entry["criterion"] for entry in training["history"]]
    settled = int(SETTLED_SHARE * 14)
    means = [np.mean(criteria[end - SMOOTHED_EPOCHS : end]) for end in range(settled + SMOOTHED_EPOCHS, 15)]
    assert training["best_epoch"] == settled + SMOOTHED_EPOCHS - 1 + int(np.argmin(means))
    assert training["history"][-1]["train"]["class_loss"] < training["history"][0]["train"]["class_loss"]


def test_a_seed_gives_identical_weights_whatever_the_order(synthetic, quick) -> None:
    examples, settings = synthetic(8), quick(epochs=2)
    first = train(examples, settings, seed=4, classes=CLASSES)
    assert not weights_differ(first, train(examples[::-1], settings, seed=4, classes=CLASSES))
    assert weights_differ(first, train(examples, settings, seed=5, classes=CLASSES))


def test_bf16_is_reproducible_too(synthetic, quick) -> None:
    settings = quick(epochs=1, precision="bf16")
    first, second = (train(synthetic(6), settings, seed=4, classes=CLASSES) for _ in range(2))
    assert not weights_differ(first, second)
    assert first.training["precision"] == "bf16"


@pytest.mark.parametrize("separate", [False, True])
def test_an_interrupted_training_goes_on_to_the_same_weights(synthetic, quick, tmp_path: Path, separate: bool) -> None:
    examples, settings = synthetic(8), quick(epochs=4, shared_views=not separate)

    def interrupt(done: int, total: int, message: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    whole = train(examples, settings, seed=0, classes=CLASSES)
    with pytest.raises(KeyboardInterrupt):
        train(examples, settings, seed=0, classes=CLASSES, checkpoint_dir=tmp_path, report=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    seen: list[int] = []
    resumed = train(
        examples,
        settings,
        seed=0,
        classes=CLASSES,
        checkpoint_dir=tmp_path,
        report=lambda done, total, message: seen.append(done),
    )
    assert seen == [3, 4]
    assert not weights_differ(whole, resumed)
    drop = ("seconds",)
    for one, two in zip(whole.training["history"], resumed.training["history"], strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {k: v for k, v in two.items() if k not in drop}


def test_a_disk_that_fills_up_is_named_and_the_training_goes_on_from_what_stands(
    synthetic, quick, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a checkpoint go by the system's temporary folder, from which it could not be moved at once."""
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk / "not there"))
    arguments = {"seed": 0, "classes": CLASSES, "checkpoint_dir": small_disk / "c"}
    ballast = small_disk / "ballast"

    def fill(done: int, total: int, message: str) -> None:
        if done == 2:  # its checkpoint is not written yet
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    whole = train(synthetic(6), quick(epochs=3), seed=0, classes=CLASSES)
    with pytest.raises(OutputError, match=r"^last\.ckpt: cannot be written, the disk is full\. Free space and run"):
        train(synthetic(6), quick(epochs=3), **arguments, report=fill)
    assert [path.name for path in (small_disk / "c").iterdir()] == [CHECKPOINT]
    ballast.unlink()
    seen: list[int] = []
    resumed = train(synthetic(6), quick(epochs=3), **arguments, report=lambda done, total, message: seen.append(done))
    assert seen == [2, 3]
    assert not weights_differ(whole, resumed)


def test_a_finished_training_is_not_repeated(synthetic, quick, tmp_path: Path) -> None:
    arguments = {"seed": 0, "classes": CLASSES, "checkpoint_dir": tmp_path}
    first = train(synthetic(6), quick(epochs=2), **arguments)
    seen: list[int] = []
    second = train(synthetic(6), quick(epochs=2), **arguments, report=lambda done, total, message: seen.append(done))
    assert seen == []
    assert not weights_differ(first, second)


@pytest.mark.parametrize("broken", [True, False])
def test_a_checkpoint_that_is_not_this_trainings_is_left_with_a_word(
    synthetic, quick, tmp_path: Path, broken: bool
) -> None:
    settings = quick(epochs=1)
    if broken:
        (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    else:
        train(synthetic(6), settings, seed=1, classes=CLASSES, checkpoint_dir=tmp_path)
    messages: list[str] = []
    resumed = train(
        synthetic(6),
        settings,
        seed=0,
        classes=CLASSES,
        checkpoint_dir=tmp_path,
        report=lambda done, total, message: messages.append(message),
    )
    assert messages[0].startswith("checkpoint unreadable" if broken else "checkpoint belongs to another training")
    assert not weights_differ(resumed, train(synthetic(6), settings, seed=0, classes=CLASSES))


def test_training_leaves_the_process_as_it_was(synthetic, quick, tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - others' global state is what is checked
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())  # noqa: NPY002
    train(synthetic(4), quick(epochs=1, threads=2), seed=0, classes=CLASSES)
    after = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_training_tells_its_progress(synthetic, quick) -> None:
    told: list[tuple[int, int, str]] = []
    train(synthetic(4), quick(epochs=2), seed=0, classes=CLASSES, report=lambda *parts: told.append(parts))
    assert [(done, total) for done, total, _ in told] == [(1, 2), (2, 2)]
    assert all(message.startswith("loss ") for _, _, message in told)


def test_a_class_without_points_has_no_distance_loss(synthetic, quick) -> None:
    examples = [replace(item, pixels={}) if item.label == "oesophagus" else item for item in synthetic(8)]
    history = train(examples, quick(epochs=1), seed=0, classes=CLASSES).training["history"]
    assert set(history[0]["train"]["empty_maps"]) == {"lung"}
    none = [replace(item, pixels={}) for item in synthetic(8)]
    history = train(none, quick(epochs=1), seed=0, classes=CLASSES).training["history"]
    assert history[0]["train"]["distance_loss"] == 0


def test_points_outside_the_training_change_nothing_without_a_distance_loss(synthetic, quick) -> None:
    settings = quick(epochs=1, distance="none", shift_mm=0.0, scale=0.0)
    bare = [replace(item, pixels={}) for item in synthetic(6)]
    first = train(synthetic(6), settings, seed=0, classes=CLASSES)
    assert not weights_differ(first, train(bare, settings, seed=0, classes=CLASSES))


def test_three_classes_and_one_missing_view(synthetic, quick) -> None:
    examples = [
        replace(item, label=("lung", "oesophagus", "control")[index % 3], mips=MipPair(item.mips.coronal, None, 4.0))
        for index, item in enumerate(synthetic(9))
    ]
    network = train(examples, quick(epochs=1), seed=0, classes=(*CLASSES, "control"))
    activation = network.activate(examples[0].mips)
    assert set(activation.probabilities) == {*CLASSES, "control"}
    assert set(activation.maps) == {Plane.CORONAL}


def test_without_a_validation_part_the_last_epoch_counts(synthetic, quick) -> None:
    training = train(synthetic(4), quick(epochs=2, validation_share=0.0), seed=0, classes=CLASSES).training
    assert training["best_epoch"] == 1
    assert "validation" not in training["history"][0]
    assert training["validation_views"] == 0


def test_examples_are_checked_first(synthetic, quick) -> None:
    with pytest.raises(TrainingError, match="class liver: needs at least 2 patients"):
        train(synthetic(4), quick(), seed=0, classes=(*CLASSES, "liver"))


def test_automatic_epochs_end_in_the_record_and_the_settings(synthetic, quick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointpet.learn.settings.AUTOMATIC_EPOCHS", (2, 3))
    network = train(synthetic(4), quick(epochs=0), seed=0, classes=CLASSES)
    assert network.training["epochs"] == network.settings.epochs == 3
