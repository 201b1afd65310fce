"""The bundle in MONAI's own hands."""

import numpy as np
import pytest
from monai import bundle
from typer.testing import CliRunner

from pointpet.cli.main import app
from pointpet.core import ImageReadError, ModelError
from pointpet.io.artefacts import read_json
from pointpet.learn.backend import torch
from pointpet.methods.stored import network_tensors
from pointpet.pipeline.config import build_configuration
from pointpet.pipeline.monai_bundle import MODELS, write_bundle
from pointpet.pipeline.predict import predict_inputs
from pointpet.pipeline.train import train_model


@pytest.fixture(scope="module")
def model(cohort_folder, quick, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    train_model(cohort_folder / "cohort.csv", folder, quick, seed=1)
    return folder


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "b"
    write_bundle(model, out)
    return out


def configs(exported) -> dict[str, str]:
    root = exported / "configs"
    return {"config_file": str(root / "inference.json"), "meta_file": str(root / "metadata.json")}


def test_monai_verifies_the_networks_input_and_output(exported):
    bundle.verify_net_in_out("network", **configs(exported), device="cpu", n=2, bundle_root=str(exported))
    classes = read_json(exported / "configs" / "metadata.json")["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert list(classes.values()) == ["lung", "oesophagus"]


def test_monai_finds_every_property_and_the_trained_weights(exported, model):
    workflow = bundle.create_workflow(
        **configs(exported), workflow_type="infer", bundle_root=str(exported), logging_file=False
    )
    assert not workflow.check_properties()
    from safetensors.numpy import load_file

    weights = network_tensors(load_file(model / "weights.safetensors"))
    ours = {f"networks.both.{name}": value for name, value in workflow.network_def.network.state_dict().items()}
    assert set(ours) == set(weights)
    for name, value in ours.items():
        np.testing.assert_array_equal(value.numpy(), weights[name])
    maps = workflow.inferer(torch.zeros(2, 1, 32, 64), workflow.network_def)
    assert maps.shape == (2, 2, 8, 16)


def test_running_it_is_predicting(exported, model, cohort_folder, tmp_path):
    bundle.run(
        **configs(exported),
        workflow_type="infer",
        logging_file=False,
        bundle_root=str(exported),
        dataset_dir=str(cohort_folder / "images"),
        scans=["C00.nii.gz"],
        units="suv",
        output_dir=str(tmp_path / "out"),
    )
    predict_inputs(model, [cohort_folder / "images" / "C00.nii.gz"], tmp_path / "ours", units="suv")
    ours, theirs = (read_json(tmp_path / name / "C00" / "result.json") for name in ("ours", "out"))
    assert ours == theirs


def test_the_command_writes_the_same_bundle(exported, model, tmp_path):
    done = CliRunner().invoke(app, ["bundle", str(model), "-o", str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert f"bundle: {tmp_path / 'b'}" in done.stdout
    for path in exported.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            assert (tmp_path / "b" / path.relative_to(exported)).read_bytes() == path.read_bytes()


def test_no_file_of_it_is_a_pickle(exported):
    assert {path.suffix for path in exported.rglob("*") if path.is_file() and not path.name.startswith(".")} == {
        ".json", ".md", ".safetensors",
    }  # fmt: skip
    assert "Model card" in (exported / "docs" / "README.md").read_text()


def test_a_scan_that_fails_is_raised(exported, cohort_folder, tmp_path):
    from pointpet.pipeline.monai_bundle import BundlePrediction

    (tmp_path / "bad.nii").write_bytes(b"nonsense")
    with pytest.raises(ImageReadError, match=r"bad: bad\.nii"):
        BundlePrediction(str(exported / MODELS), [str(tmp_path / "bad.nii")], str(tmp_path / "out")).run()


def test_what_has_no_network_for_both_views_is_refused(cohort_folder, quick, tmp_path):
    own = {"training": {**quick.as_dict()["training"], "shared_views": False}, "prepare": {"pixel_mm": 4.0}}
    train_model(cohort_folder / "cohort.csv", tmp_path / "two", build_configuration(own))
    with pytest.raises(ModelError, match="model two: must have one network for both views, got one for each"):
        write_bundle(tmp_path / "two", tmp_path / "b")
    train_model(cohort_folder / "cohort.csv", tmp_path / "unet", quick, method="unet")
    with pytest.raises(ModelError, match="model unet: is of unet, no activation network"):
        write_bundle(tmp_path / "unet", tmp_path / "b")
