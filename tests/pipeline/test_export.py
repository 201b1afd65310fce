"""model.onnx: written beside a model, bound to it, and enough to predict without torch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from pointpet.core import ConfigError, ModelError
from pointpet.io.artefacts import read_json
from pointpet.pipeline.export import export_model
from pointpet.pipeline.model_loading import load_model
from pointpet.pipeline.predict import predict_inputs
from pointpet.pipeline.train import train_model

WITHOUT_TORCH = """
import sys
class NotInstalled:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "pytorch_lightning", "monai", "onnx", "onnxscript"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from pointpet.cli.main import run
run()
"""


@pytest.fixture(scope="module")
def model(cohort_folder, quick, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "m"
    train_model(cohort_folder / "cohort.csv", folder, quick, seed=1)
    export_model(folder)
    return folder


def test_predict_without_torch_gives_what_torch_gives(model, cohort_folder, tmp_path) -> None:
    scan = cohort_folder / "images" / "C00.nii.gz"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "predict", model, scan, "-o", tmp_path / "onnx", "--runtime", "onnx"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    predict_inputs(model, [scan], tmp_path / "torch")
    ours, theirs = (read_json(tmp_path / name / "C00" / "result.json") for name in ("onnx", "torch"))
    assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-4)
    assert {name: ours[name] for name in ("predicted", "flags", "model_sha256")} == {
        name: theirs[name] for name in ("predicted", "flags", "model_sha256")
    }
    masks, maps = (
        [np.asanyarray(nib.load(tmp_path / name / "C00" / file).dataobj) for name in ("onnx", "torch")]
        for file in ("mask.nii.gz", "cam_coronal.nii.gz")
    )
    np.testing.assert_array_equal(*masks)
    np.testing.assert_allclose(*maps, atol=1e-4)
    assert list(pd.read_csv(tmp_path / "onnx" / "summary.csv")["predicted"]) == [theirs["predicted"]]


def test_without_torch_the_torch_runtime_says_what_to_install(model, cohort_folder, tmp_path) -> None:
    scan = cohort_folder / "images" / "C00.nii.gz"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "predict", model, scan, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 1
    assert "need torch, missing: torch. Install them: pip install 'pointpet[train]'" in done.stderr


def test_a_second_export_keeps_the_file_and_overwrite_writes_it_again(model, tmp_path) -> None:
    copy = shutil.copytree(model, tmp_path / "m")
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"model\.onnx is not the file that model\.json was written with.*--overwrite"):
        export_model(copy)
    with pytest.raises(ModelError, match=r"model m: model m: model\.onnx is not the file"):
        load_model(copy, "onnx")
    export_model(copy, overwrite=True)
    written = (copy / "model.onnx").stat().st_mtime_ns
    assert load_model(copy, "onnx")[1]["weights_sha256"] == load_model(copy)[1]["weights_sha256"]
    assert export_model(copy) == copy / "model.onnx"
    assert (copy / "model.onnx").stat().st_mtime_ns == written


def test_a_model_trained_again_loses_the_old_graph(model, tmp_path) -> None:
    copy = shutil.copytree(model, tmp_path / "m")
    load_model(copy)[0].save(copy)
    assert not (copy / "model.onnx").exists()
    with pytest.raises(ModelError, match=r"model\.onnx is missing.*pointpet export MODEL"):
        load_model(copy, "onnx")


def test_an_unknown_runtime_is_refused(model) -> None:
    with pytest.raises(ConfigError, match=r"--runtime tensorrt: is not known\. Use one of: torch, onnx"):
        load_model(model, "tensorrt")


def test_a_network_on_volumes_is_refused(cohort_folder, quick, tmp_path) -> None:
    from dataclasses import replace

    volumes = replace(quick, unet=replace(quick.unet, dimensions=3))
    train_model(cohort_folder / "cohort.csv", tmp_path / "m", volumes, method="unet", seed=1)
    with pytest.raises(ModelError, match=r"model m: must hold a network of pointpet's on MIPs, got method unet"):
        export_model(tmp_path / "m")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cam_alone", "cam_fcn", "unet"])
def test_the_other_methods_predict_alike_in_both_runtimes(method, cohort_folder, quick, tmp_path) -> None:
    train_model(cohort_folder / "cohort.csv", tmp_path / "m", quick, method=method, seed=1)
    export_model(tmp_path / "m")
    scans = [cohort_folder / "images" / f"C0{number}.nii.gz" for number in range(4)]
    rows = [predict_inputs(tmp_path / "m", scans, tmp_path / name, runtime=name).rows for name in ("torch", "onnx")]
    for ours, theirs in zip(*rows, strict=True):
        assert ours["predicted"] == theirs["predicted"]
        assert ours["mtv_ml"] == pytest.approx(theirs["mtv_ml"], rel=0.02)


def test_the_command_writes_the_graph(model, tmp_path) -> None:
    from typer.testing import CliRunner

    from pointpet.cli.main import app

    copy = shutil.copytree(model, tmp_path / "m")
    done = CliRunner().invoke(app, ["export", str(copy)])
    assert done.exit_code == 0
    assert f"ONNX: {copy / 'model.onnx'}" in done.output
