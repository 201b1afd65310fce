"""The page of ablations: what is averaged, and what a gain is measured against."""

import argparse
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from pointpet.core import ActivationMap, Mask, MipPair, Plane, Volume
from pointpet.io.artefacts import write_json
from pointpet.learn.activation import Activation
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext
from pointpet.methods.fitted_weak import FittedWeakMethod
from pointpet.pipeline.config import build_configuration

CASES = [("lung", 1.0, 1.0, 0.8), ("lung", 0.0, 0.0, 0.2), ("oesophagus", 1.0, 1.0, 0.6)]


@pytest.fixture(scope="module")
def ablations(experiment) -> ModuleType:
    return experiment("ablations")


class Saying:
    """A network with one answer."""

    def __init__(self, lung: float, place: int) -> None:
        values = np.zeros((4, 3), np.float32)
        values[place, 1] = 1.0
        maps = {
            name: {Plane.CORONAL: ActivationMap(values, Plane.CORONAL, name, 4.0)} for name in ("lung", "oesophagus")
        }
        self.answer = Activation({"lung": lung, "oesophagus": 1 - lung}, maps["lung"], maps)

    def activate(self, mips):
        return self.answer


def test_the_mean_of_networks_is_that_of_probabilities_and_maps(ablations):
    several = ablations.MeanNetwork([Saying(0.9, 0), Saying(0.3, 0), Saying(0.9, 2)])
    seen = several.activate(MipPair(np.ones((4, 3), np.float32), None, 4.0))
    assert seen.probabilities == pytest.approx({"lung": 0.7, "oesophagus": 0.3})
    assert seen.predicted == "lung"
    assert seen.maps[Plane.CORONAL].values[:, 1] == pytest.approx([1.0, 0, 0.5, 0])


def test_a_unet_speaks_for_every_class(ablations):
    seen = ablations.EveryClass(Saying(0.2, 1)).activate(MipPair(np.ones((4, 3), np.float32), None, 4.0))
    assert seen.class_maps["oesophagus"] == seen.class_maps["lung"] == seen.maps


def row(ablations, work, name, seed, lost):
    task = ablations.Task(work, "hard", name, seed)
    cases = [
        {"case_id": str(n), "label": label, "accuracy": right, "hit": hit, "dice": dice - lost}
        for n, (label, right, hit, dice) in enumerate(CASES)
    ]
    write_json(task.kept, {"by": "a machine", "cases": cases, "failed": ""})
    return task


def test_a_gain_is_over_the_same_seeds_of_the_defaults_or_of_the_maps(tmp_path, ablations):
    (tmp_path / "rows").mkdir()
    tasks = [
        row(ablations, tmp_path, "defaults", 0, 0.0),
        row(ablations, tmp_path, "defaults", 1, 0.1),
        row(ablations, tmp_path, "turned views", 1, 0.05),
        row(ablations, tmp_path, "maps", 0, 0.2),
        row(ablations, tmp_path, "maps: stride 8", 0, 0.3),
    ]
    shown = ablations.summary(tasks).set_index("variant")
    assert shown.loc["defaults", "dice"] == pytest.approx((0.5 + 0.6) / 2 - 0.05)
    assert shown.loc["defaults", "hit lung"] == 0.5
    assert shown.loc["turned views", "gain"] == pytest.approx(0.05), "over seed 1 alone"
    assert shown.loc["maps: stride 8", "gain"] == pytest.approx(-0.1), "over the maps, not the defaults"
    assert shown["seeds"].tolist() == [2, 1, 1, 1]


def test_the_page_shows_what_is_kept_and_what_failed(tmp_path, ablations):
    (tmp_path / "rows").mkdir()
    row(ablations, tmp_path, "defaults", 0, 0.0)
    failed = ablations.Task(tmp_path, "hard", "maps: weighted distance", 0)
    write_json(failed.kept, {"by": "a machine", "cases": [], "failed": "its maps collapsed"})
    arguments = argparse.Namespace(
        work=tmp_path, preset="hard", patients=200, seeds=[0, 1], variants=list(ablations.VARIANTS)
    )
    page = ablations.render(arguments)
    assert "a machine (2 rows)" in page
    assert "its maps collapsed" in page
    assert "| maps: weighted distance |" in page
    assert "| turned views |" not in page


def test_every_variant_is_a_configuration(ablations):
    for variant in ablations.VARIANTS.values():
        build_configuration(variant.changes)


class Recording:
    """Methods that keep what they are given, in place of trained ones."""

    def __init__(self) -> None:
        self.given = {}

    def configuration(self, changes):
        real = build_configuration(changes)
        return SimpleNamespace(candidates=real.candidates, localise=real.localise, method=self.method)

    def method(self, name):
        return SimpleNamespace(fit=partial(self.fit, name))

    def fit(self, name, training, context):
        self.given[name] = [
            (case.label, case.points_mm.tolist(), case.load_mask and case.load_mask()) for case in training
        ]
        return FittedWeakMethod(name, Saying(0.5, 0), LocaliseSettings(), {"lesion_free": []})


def hot(at: tuple[int, int, int]) -> Volume:
    voxels = np.full((12, 12, 12), 0.5, np.float32)
    voxels[tuple(slice(n - 1, n + 2) for n in at)] = 10.0
    return Volume(voxels, np.diag([4.0, 4, 4, 1]))


@pytest.fixture
def training() -> list[CaseInput]:
    truth = Mask(np.ones((12, 12, 12), bool), np.diag([4.0, 4, 4, 1]))
    return [
        CaseInput(
            f"C{n}",
            f"C{n}",
            load_volume=lambda: hot((4, 4, 4)),
            label="lung",
            points_mm=np.array([[16.0, 16, 16]]),
            load_mask=lambda: truth,
        )
        for n in range(3)
    ]


def test_weak_variants_are_given_no_mask(ablations, training, monkeypatch):
    methods = Recording()
    variant = ablations.Variant(networks=2)
    model = ablations.fitted(variant, methods.configuration({}), training, FitContext(seed=1, classes=("lung",)))
    assert methods.given["proposed"] == [("lung", [[16, 16, 16]], None)] * 3
    assert isinstance(model.network, ablations.MeanNetwork)


@pytest.mark.parametrize(("masks", "voxels"), [("true", 12**3), ("clicked", 27)])
def test_a_unet_learns_the_masks_that_it_says(ablations, training, masks, voxels):
    methods = Recording()
    variant = ablations.Variant(ablations.MAPS, masks=masks)
    configuration = methods.configuration(variant.changes)
    ablations.fitted(variant, configuration, training, FitContext(seed=1, classes=("lung",)))
    assert [mask.voxels.sum() for _, _, mask in methods.given["unet"]] == [voxels] * 3


def test_the_teacher_of_found_masks_sees_neither_masks_nor_at_work_labels(ablations, training, monkeypatch):
    methods, asked = Recording(), []
    found = Mask(np.zeros((12, 12, 12), bool), np.diag([4.0, 4, 4, 1]))

    def predict(self, case):
        asked.append((case.label, len(case.points_mm), case.load_mask))
        return SimpleNamespace(mask=found)

    monkeypatch.setattr(FittedWeakMethod, "predict", predict)
    monkeypatch.setattr(ablations, "build_configuration", methods.configuration)
    variant = ablations.Variant(ablations.MAPS, masks="found")
    configuration = methods.configuration(variant.changes)
    ablations.fitted(variant, configuration, training, FitContext(seed=1, classes=("lung",)))
    assert methods.given["proposed"] == [("lung", [[16, 16, 16]], None)] * 3
    assert asked == [(None, 0, None)] * 3
    assert [mask for _, _, mask in methods.given["unet"]] == [found] * 3


def test_the_unet_of_the_same_size_is_of_the_same_size(ablations):
    from pointpet.learn.network import ViewNetworks
    from pointpet.learn.settings import TrainingSettings
    from pointpet.learn.unet_network import ClassifyingUnet
    from pointpet.learn.unet_settings import UnetSettings

    unet = ClassifyingUnet(UnetSettings(features=ablations.SAME_SIZE), 2)
    sizes = [sum(one.numel() for one in net.parameters()) for net in (unet, ViewNetworks(TrainingSettings(), 2))]
    assert sizes == [88_519, 90_706], "as the script says"
