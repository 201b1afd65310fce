"""What the methods paragraph says of each network is what that network was trained with."""

from dataclasses import replace

import pytest

from pointpet.pipeline.config import Configuration
from pointpet.report.model_facts import model_facts
from pointpet.report.study_folder import Study, read_study
from pointpet.report.trained_as import view_settings

NETWORKS = {
    "proposed": 90_706,
    "cam_alone": 90_706,
    "cam_fcn": 90_706,
    "unet": 488_019,
    "rpet3d": 37_361,
    "rpet3d_proposed": 37_361,
}


@pytest.fixture(scope="module")
def template(study_template) -> Study:
    return read_study(study_template)


@pytest.fixture
def trained(template):
    """`template` as if all networks had been trained, with changes to sections of the configuration."""

    def build(*, lesion_free=(), epochs=(), networks=NETWORKS, cohort=None, **sections) -> Study:
        config = Configuration().as_dict()
        for name, changed in sections.items():
            config[name] = {**config[name], **changed}
        methods = [{"name": name, "parameters": size, "epochs": list(epochs)} for name, size in networks.items()]
        record = {**template.record, "config": config, "methods": methods, "lesion_free": list(lesion_free)}
        return replace(template, record={**record, "cohort": {**record["cohort"], **(cohort or {})}})

    return build


def sentence_on(text: str, name: str) -> str:
    return next(part for part in text.split("Training of ") if part.startswith(name))


def test_turned_views_are_said_of_those_alone_that_saw_them(trained):
    words = model_facts(trained())["training"]
    assert "augmentation by turning, mirroring, shift, scale and intensity" in sentence_on(words, "U-Net")
    for name in ("Proposed", "CAMs alone", "CAMs & FCN"):
        assert "augmentation by mirroring, shift, scale and intensity" in sentence_on(words, name)
    assert "turning" not in model_facts(trained(unet={"turns": False}))["training"]
    assert "turning" not in model_facts(trained(unet={"dimensions": 3}))["training"]
    assert "turning" not in model_facts(trained(prepare={"turns_deg": []}))["training"]
    assert model_facts(trained(training={"turns": True}))["training"].count("turning") == 4


def test_ready_made_pictures_are_not_said_to_be_turned(trained, template):
    pictures = {"pictures": template.record["cohort"]["cases"]}
    assert "turning" not in model_facts(trained(cohort=pictures, training={"turns": True}))["training"]


def test_each_network_has_its_own_schedule(trained):
    own = {"learning_rate": 0.003, "batch_size": 5, "epochs": 70}
    words = model_facts(trained(unet=own, cam_fcn={"learning_rate": 0.004, "epochs": 33}))["training"]
    assert "up to 0.003, batches of 5 views, up to 70 epochs" in sentence_on(words, "U-Net")
    assert "up to 0.004, batches of 8 views, up to 33 epochs" in sentence_on(words, "CAMs & FCN")
    for name, rate in (("Proposed", "0.01"), ("CAMs alone", "0.003")):
        assert f"up to {rate}, batches of 8 views, as many epochs as its batches ask" in sentence_on(words, name)
    patches = sentence_on(words, "3D-RPET-Net and of 3D-RPET-Net, proposed masks")
    assert "learning rate of 0.002, batches of 8 patches, up to 40 epochs, stopped after 8 without" in patches
    assert "4 networks a fold" in patches
    assert "3D-RPET-Net is the mean of 4 networks a fold." in model_facts(trained())["ensembling"]


@pytest.mark.parametrize(
    ("epochs", "text"), [((60, 60), "views, 60 epochs;"), ((75, 80, 77), "views, 75 to 80 epochs;")]
)
def test_epochs_are_those_on_record(trained, epochs, text):
    assert text in model_facts(trained(epochs=epochs))["training"]


def test_augmentation_that_is_off_is_not_claimed(trained):
    off = {"flip": False, "shift_mm": 0.0, "scale": 0.0, "intensity": 0.0, "noise": 0.02}
    assert "augmentation by noise" in sentence_on(model_facts(trained(training=off))["training"], "Proposed")
    off["noise"] = 0.0
    assert "; no augmentation." in sentence_on(model_facts(trained(training=off))["training"], "Proposed")


def test_a_cohort_with_controls_is_said_to_have_the_cells_that_it_was_trained_with(trained):
    model = model_facts(trained(lesion_free=("control",)))["model"]
    assert (
        "with the mean of the highest 10\u00a0% of a map's cells as class score sees each view at 8 mm; its class "
        "activation maps [zhou] have cells of 16 mm." in model
    )
    assert "sees each view at 6 mm; its score maps have cells of 12 mm." in model, "its widened layers keep their cells"
    assert "trained on the projections of the true masks and sees each view at 6 mm." in model
    for study in (trained(), trained(lesion_free=("control",), training={"controls_preset": False})):
        model = model_facts(study)["model"]
        assert (
            "with global average pooling sees each view at 6 mm; its class activation maps [zhou] have cells of"
            in model
        )
        assert "cells of 24 mm" in model


def test_a_u_net_on_volumes_is_described_as_one(trained):
    facts = model_facts(trained(unet={"dimensions": 3, "patch_cells": 32, "cell_mm": 5.0}))
    assert "sees the volume in patches of 32 cubes of 5 mm a side." in facts["model"]
    words = sentence_on(facts["training"], "U-Net")
    assert "batches of 8 patches" in words
    assert "augmentation by place of the patch, mirroring and intensity" in words


def test_the_choice_of_the_epoch_is_said_as_it_was_made(trained):
    chosen = (
        "was chosen in the last 30\u00a0% of the epochs, by the lowest mean of 5 epochs' validation criterion on "
        "10\u00a0% of the training patients."
    )
    assert model_facts(trained())["selection"].startswith(f"The epoch {chosen}")
    short = model_facts(trained(unet={"epochs": 12}))["selection"]
    assert f"The epoch of Proposed, CAMs alone and CAMs & FCN {chosen}" in short
    assert "The last epoch of U-Net was taken." in short


def test_settings_of_another_version_leave_the_words_out(trained):
    study = trained()
    del study.record["config"]["unet"]["turns"]
    assert "U-Net" not in model_facts(study)["training"]
    study.record["config"]["cam_fcn"]["cam_stride"] = 3
    assert set(view_settings(study)) == {"proposed", "cam_alone"}
    del study.record["config"]["training"]["noise"]
    assert view_settings(study) == {}
    assert "training" not in model_facts(study)


def test_the_look_at_the_mirror_image_is_told_of_those_that_take_it(trained):
    assert "mirror image" not in model_facts(trained())["ensembling"]
    of_controls = model_facts(trained(lesion_free=("control",)))["ensembling"]
    assert of_controls.endswith(
        "Proposed and CAMs alone look at each coronal view and at its mirror image, whose scores and maps are averaged."
    ), "CAMs & FCN have cells of their own, without the preset; the U-Net knows no controls"
    asked = {"training": {"mirror": True}, "unet": {"dimensions": 3}, "networks": {"proposed": 1, "unet": 1}}
    assert model_facts(trained(**asked))["ensembling"].count("Proposed looks at each coronal view") == 1
    flat = model_facts(trained(**asked | {"unet": {"dimensions": 2}}))["ensembling"]
    assert "Proposed and U-Net look at each coronal view" in flat


def test_ready_made_pictures_of_controls_are_said_to_have_had_their_grey_bent(trained, template):
    pictures = {"pictures": template.record["cohort"]["cases"]}
    words = model_facts(trained(cohort=pictures, lesion_free=("control",)))["training"]
    assert "intensity, curve of grey and lesions transplanted" in sentence_on(words, "Proposed")
    assert "curve of grey" not in model_facts(trained(lesion_free=("control",)))["training"]
    assert "curve of grey" not in model_facts(trained(cohort=pictures))["training"]


@pytest.mark.parametrize("pictures", [True, False])
@pytest.mark.parametrize("lesion_free", [(), ("control",)])
def test_settings_are_those_that_the_methods_themselves_take(trained, template, lesion_free, pictures):
    cohort = {"pictures": template.record["cohort"]["cases"] if pictures else 0}
    found = view_settings(trained(lesion_free=lesion_free, cohort=cohort))
    configuration = Configuration()
    built = {name: configuration.method(name) for name in ("proposed", "cam_alone", "cam_fcn")}
    assert {name: found[name] for name in built} == {
        name: method.training.for_cohort(lesion_free, pictures=pictures) for name, method in built.items()
    }
