"""Cases 72 to 78: models that could run code, and requests that a page must turn down."""

import http.client
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pointpet.io.model_folder import write_model

PROGRAM = Path(sys.executable).with_name("pointpet")


class Dangerous:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


def pickled(folder: Path, mark: Path) -> Path:
    (folder / "model.pt").write_bytes(pickle.dumps(Dangerous(mark)))
    return folder / "model.pt"


def pickle_in_a_folder(folder: Path, mark: Path) -> Path:
    model = foreign_weights(folder, mark)
    (model / "weights.safetensors").write_bytes(pickle.dumps(Dangerous(mark)))
    return model


def foreign_weights(folder: Path, mark: Path) -> Path:
    """The record of a network over the weights of one twice as wide."""
    from pointpet.learn.network import ViewNetworks
    from pointpet.learn.settings import TrainingSettings
    from pointpet.learn.trained import TrainedNetwork

    def built(width: int) -> TrainedNetwork:
        settings = TrainingSettings(widths=(width,) * 8)
        return TrainedNetwork(ViewNetworks(settings, 2), ("lung", "oesophagus"), settings, {})

    record = {"method": "proposed", "network": built(4).record, "localise": {}, "lesion_free": [], "preprocessing": {}}
    write_model(folder / "model", built(8).tensors(), record, "card")
    return folder / "model"


def bare_record(folder: Path, mark: Path) -> Path:
    write_model(folder / "model", {"w": np.zeros(3, np.float32)}, {"method": "proposed"}, "card")
    return folder / "model"


def unknown_method(folder: Path, mark: Path) -> Path:
    write_model(folder / "model", {"w": np.zeros(3, np.float32)}, {}, "card")
    return folder / "model"


def zip_slip(folder: Path, mark: Path) -> Path:
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        archive.writestr("../ran", "x")
        archive.writestr("model.json", "{}")
    return folder / "model.zip"


MODELS = {
    "72 a pickle as a model": (pickled, "PP-MODEL-PICKLE", "which can run code"),
    "72 a pickle in a model folder": (pickle_in_a_folder, "PP-MODEL-PICKLE", "which can run code"),
    "73 weights of another architecture": (
        foreign_weights,
        "PP-MODEL-TENSOR",
        "model model: tensor .*: must have shape .*, got",
    ),
    "73 a record without a network": (bare_record, "PP-MODEL-RECORD", "model model: model.json: must hold network"),
    "73 a record without a method": (unknown_method, "PP-METHOD-UNKNOWN", "method 'None': is not known"),
    "75 zip-slip": (zip_slip, "PP-MODEL-PICKLE", "model model.zip: must be a model folder"),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(cohort, cli, tmp_path, name):
    build, code, message = MODELS[name]
    folder = tmp_path / "given"
    folder.mkdir()
    mark = tmp_path / "ran"
    model = build(folder, mark)
    done = cli("predict", model, cohort / "A", "-o", tmp_path / "out")
    assert done.status == 1
    assert re.search(rf"error \[{code}\]: .*{message}", done.err), done.err
    assert str(tmp_path) not in done.err
    assert not mark.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["74 YAML with a python tag"])
def test_configuration(cohort, cli, tmp_path, name):
    mark = tmp_path / "ran"
    (tmp_path / "c.yaml").write_text(f"training: !!python/object/apply:pathlib.Path.touch [{str(mark)!r}]\n")
    for command in ("train", "study"):
        done = cli(command, cohort / "cohort.csv", "-o", tmp_path / "out", "--config", tmp_path / "c.yaml")
        assert done.status == 1
        assert re.search(r"error \[PP-CONFIG-[A-Z]+\]: .*c\.yaml", done.err), done.err
    assert not mark.exists()
    assert not (tmp_path / "out").exists()


@pytest.fixture
def page(cohort) -> Iterator[tuple[str, int, str]]:
    """`annotate` as a user starts it: host, port and token of the address that it prints."""
    command = [PROGRAM, "annotate", cohort / "cohort.csv", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        found = None
        for line in server.stdout:
            found = re.search(r"http://([\d.]+):(\d+)/\?token=([\w-]+)", line)
            if found:
                break
        assert found is not None
        yield found[1], int(found[2]), found[3]
        server.terminate()


def answer(page: tuple[str, int, str], method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict]:
    """Status and content of one request; `headers` with `_` for `-`."""
    host, port, token = page
    connection = http.client.HTTPConnection(host, port, timeout=10)
    stated = {"Host": f"{host}:{port}", "Authorization": f"Bearer {token}"}
    stated |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host=True)
    for name, value in stated.items():
        connection.putheader(name, value)
    connection.endheaders(body or None)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content) if content.startswith(b"{") else {}


REQUESTS = {
    "77 foreign Host": ({"Host": "evil.example"}, 403, "PP-WEB-HOST"),
    "77 foreign Origin": ({"Origin": "http://evil.example"}, 403, "PP-WEB-ORIGIN"),
    "78 oversized upload": (
        {"Content_Type": "application/json", "Content_Length": str(2**32)},
        413,
        "PP-WEB-SIZE",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_request(page, cohort, name):
    headers, status, code = REQUESTS[name]
    before = (cohort / "cohort.csv").read_bytes()
    assert answer(page, "GET", "/")[0] == 200
    found, content = answer(page, "POST", "/api/cases/A", **headers)
    assert (found, content["code"]) == (status, code)
    assert (cohort / "cohort.csv").read_bytes() == before
    assert os.path.lexists(cohort / "A")
