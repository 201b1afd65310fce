"""Model folders: what is written comes back, and nothing that could run code is opened."""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from pointpet.core import ModelError
from pointpet.io.model_folder import CARD_NAME, RECORD_NAME, WEIGHTS_NAME, read_model, write_model

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([1.5]), "n": np.array(3, np.int64)}


class Dangerous:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.trace,))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "m", TENSORS, {"classes": ["lung", "oesophagus"], "seed": np.int64(3)}, "# Card\n")
    return tmp_path / "m"


def test_what_is_written_comes_back(model: Path) -> None:
    tensors, record = read_model(model)
    assert set(tensors) == set(TENSORS)
    for name, expected in TENSORS.items():
        assert tensors[name].dtype == expected.dtype
        assert np.array_equal(tensors[name], expected)
    weights = (model / WEIGHTS_NAME).read_bytes()
    assert record == {
        "classes": ["lung", "oesophagus"],
        "seed": 3,
        "format": "pointpet-model",
        "format_version": 1,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    assert (model / CARD_NAME).read_text() == "# Card\n"
    assert sorted(path.name for path in model.iterdir()) == sorted([WEIGHTS_NAME, RECORD_NAME, CARD_NAME])


def test_views_with_other_memory_orders_are_written_as_they_look(tmp_path: Path) -> None:
    """safetensors writes the memory as it lies: a transposed view would come back scrambled."""
    turned = np.arange(12, dtype=np.float32).reshape(3, 4).T
    write_model(tmp_path / "m", {"w": turned, "f": np.asfortranarray(turned), "r": turned[::-1]}, {}, "")
    tensors, _ = read_model(tmp_path / "m")
    assert np.array_equal(tensors["w"], turned)
    assert np.array_equal(tensors["f"], turned)
    assert np.array_equal(tensors["r"], turned[::-1])


def test_equal_models_are_equal_files(model: Path, tmp_path: Path) -> None:
    reordered = dict(reversed(TENSORS.items()))
    write_model(tmp_path / "n", reordered, {"classes": ["lung", "oesophagus"], "seed": 3}, "# Card\n")
    for name in (WEIGHTS_NAME, RECORD_NAME, CARD_NAME):
        assert (model / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_a_model_that_was_not_finished_is_not_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pointpet.io.model_folder.write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        write_model(model, TENSORS, {}, "")
    with pytest.raises(ModelError, match=r"model m: model\.json is missing: no model, or one not finished"):
        read_model(model)


def missing(folder: Path) -> Path:
    return folder.with_name("absent")


def no_weights(folder: Path) -> Path:
    (folder / WEIGHTS_NAME).unlink()
    return folder


def torch_file(folder: Path) -> Path:
    path = folder.with_name("model.pt")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Dangerous(folder.with_name("ran"))))
    return path


def unnamed_pickle(folder: Path) -> Path:
    path = folder.with_name("model")
    path.write_bytes(pickle.dumps(Dangerous(folder.with_name("ran"))))
    return path


def plain_file(folder: Path) -> Path:
    return folder / CARD_NAME


def folder_of_pickles(folder: Path) -> Path:
    (folder / WEIGHTS_NAME).rename(folder / "weights.pth")
    return folder


def pickled_weights(folder: Path) -> Path:
    (folder / WEIGHTS_NAME).write_bytes(pickle.dumps(Dangerous(folder.with_name("ran"))))
    return folder


def torch_weights(folder: Path) -> Path:
    torch_file(folder).rename(folder / WEIGHTS_NAME)
    return folder


def changed_weights(folder: Path) -> Path:
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(content)
    return folder


def with_record(folder: Path, **changes: object) -> Path:
    record = json.loads((folder / RECORD_NAME).read_text())
    (folder / RECORD_NAME).write_text(json.dumps({**record, **changes}))
    return folder


def not_safetensors(folder: Path) -> Path:
    content = b"\xff" * 100
    (folder / WEIGHTS_NAME).write_bytes(content)
    return with_record(folder, weights_sha256=hashlib.sha256(content).hexdigest())


def foreign(folder: Path) -> Path:
    return with_record(folder, format="other")


def newer(folder: Path) -> Path:
    return with_record(folder, format_version=2)


def record_is_a_list(folder: Path) -> Path:
    (folder / RECORD_NAME).write_text("[]")
    return folder


def record_is_no_json(folder: Path) -> Path:
    (folder / RECORD_NAME).write_text("{")
    return folder


def record_too_deep(folder: Path) -> Path:
    (folder / RECORD_NAME).write_text("[" * 100_000)
    return folder


def record_too_large(folder: Path) -> Path:
    with (folder / RECORD_NAME).open("ab") as file:
        file.truncate(17 * 2**20)
    return folder


BAD = [
    (missing, "MISSING", "model absent: does not exist"),
    (no_weights, "MISSING", "weights.safetensors is missing or cannot be read"),
    (torch_file, "PICKLE", "model model.pt: must be a model folder, got a pickle or checkpoint, which can run code"),
    (unnamed_pickle, "PICKLE", "must be a model folder, got a pickle or checkpoint, which can run code"),
    (plain_file, "FILE", "must be a model folder, got a file"),
    (folder_of_pickles, "PICKLE", "holds weights.pth, a format that can run code, and no weights.safetensors"),
    (pickled_weights, "PICKLE", "weights.safetensors is a pickle or archive, which can run code"),
    (torch_weights, "PICKLE", "weights.safetensors is a pickle or archive, which can run code"),
    (changed_weights, "HASH", "weights.safetensors is not the file that model.json was written with"),
    (not_safetensors, "WEIGHTS", "weights.safetensors is not in the safetensors format"),
    (foreign, "FOREIGN", "model.json is not that of a pointpet model"),
    (newer, "VERSION", "format version must be 1, got 2"),
    (record_is_a_list, "FOREIGN", "model.json is not that of a pointpet model"),
    (record_is_no_json, "RECORD", "model.json is not JSON"),
    (record_too_deep, "RECORD", "model.json is not JSON"),
    (record_too_large, "RECORD", "model.json is larger than any record of ours"),
]


@pytest.mark.parametrize(("spoil", "code", "message"), BAD, ids=[spoil.__name__ for spoil, _, _ in BAD])
def test_bad_models_are_refused_before_anything_runs(
    model: Path, spoil: Callable[[Path], Path], code: str, message: str
) -> None:
    path = spoil(model)
    with pytest.raises(ModelError, match=message.replace(".", r"\.")) as caught:
        read_model(path)
    assert caught.value.code == f"PP-MODEL-{code}"
    assert str(model.parent) not in str(caught.value)
    assert not model.with_name("ran").exists()


def test_a_header_length_that_looks_like_a_pickle_is_none(tmp_path: Path) -> None:
    """640 bytes of header are 0x80 0x02 at the file's start, as a pickle of protocol 2 is."""
    for padding in range(1, 700):
        content = safetensors.numpy.save({"x" * padding: np.zeros(1, np.float32)})
        if content.startswith(b"\x80\x02"):
            write_model(tmp_path / "m", {"x" * padding: np.zeros(1, np.float32)}, {}, "")
            assert read_model(tmp_path / "m")[0]
            return
    pytest.fail("no name gave a header of 640 bytes")


def test_an_unreadable_file_is_no_pickle(model: Path) -> None:
    (model / WEIGHTS_NAME).unlink()
    (model / WEIGHTS_NAME).mkdir()
    with pytest.raises(ModelError, match="is missing or cannot be read"):
        read_model(model)


def test_a_file_that_may_not_be_read_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda p, *a, **k: (refuse if p.name == WEIGHTS_NAME else real_open)(p, *a, **k))
    with pytest.raises(ModelError, match=r"weights\.safetensors is missing or cannot be read"):
        read_model(model)
