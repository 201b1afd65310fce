"""The page of ablations: what is averaged, and what a gain is measured against."""

import argparse
from types import ModuleType

import numpy as np
import pytest

from pointpet.core import ActivationMap, MipPair, Plane
from pointpet.io.artefacts import write_json
from pointpet.learn.activation import Activation
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
    assert "turned views" not in page


def test_every_variant_is_a_configuration(ablations):
    for variant in ablations.VARIANTS.values():
        build_configuration(variant.changes)
