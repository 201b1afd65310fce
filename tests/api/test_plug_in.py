"""The example package, found by its own entry point, through a whole study and a prediction."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pointpet as pp
from pointpet.core import ConfigError, ModelError, TrainingError
from pointpet.methods.base import CaseInput, FitContext, Method
from pointpet.methods.registry import build_method, method_names
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.study import StudyRequest, run_study
from pointpet.pipeline.train import train_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "pointpet-atlas"


@pytest.fixture
def installed(tmp_path, monkeypatch) -> None:
    """What pip leaves of the package: its code on the path, and metadata with its entry point."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "site" / f"pointpet_atlas-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    name, version = project["name"], project["version"]
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = []
    for group, named in project["entry-points"].items():
        points += [f"[{group}]", *(f"{key} = {value}" for key, value in named.items())]
    (metadata / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(metadata.parent)
    monkeypatch.syspath_prepend(EXAMPLE / "src")


@pytest.fixture
def atlas(installed, quick) -> Method:
    return build_method("atlas", quick.training, quick.localise)


def test_a_plug_in_is_a_method_like_the_others(installed, quick, cohort_folder, tmp_path):
    assert method_names()[-1] == "atlas"
    without_outcomes = replace(quick, outcome=replace(quick.outcome, enabled=False))
    request = StudyRequest(cohort_folder / "cohort.csv", methods=("atlas", "click41"), folds=2, seed=1)
    outcome = run_study(request, tmp_path / "study", without_outcomes)
    assert outcome.failures == ()
    table = pd.read_csv(tmp_path / "study" / "tables" / "segmentation.csv").query("method == 'atlas'")
    assert len(table) == 16
    assert table["dice"].mean() > 0.5, "a bright ball where its class lies is found in most scans"
    named = pd.read_csv(tmp_path / "study" / "tables" / "classification.csv").query("method == 'atlas'")
    assert (named["truth"] == named["predicted"]).mean() > 0.8
    assert (tmp_path / "study" / "models" / "atlas" / "fold_1" / "model.json").is_file()
    assert "atlas" in (tmp_path / "study" / "report.html").read_text()


def test_a_plug_in_trains_predicts_and_is_an_estimators_method(installed, quick, cohort, cohort_folder, tmp_path):
    train_model(cohort_folder / "cohort.csv", tmp_path / "m", quick, method="atlas")
    model = pp.load_model(tmp_path / "m")
    volume = pp.read_pet(cohort_folder / "images" / "C00.nii.gz", units="suv")
    result = model.predict(volume)
    assert result.mask.voxels.any()
    estimator = pp.WeakDetector("atlas", configuration=quick).fit(cohort)
    np.testing.assert_allclose(estimator.predict_proba(cohort.cases[:1])[0], list(result.probabilities.values()))
    assert "# Model card: atlas" in (tmp_path / "m" / "MODEL_CARD.md").read_text()


def test_its_faults_are_told_by_name(atlas, tmp_path, cohort_folder, quick, installed):
    with pytest.raises(TrainingError, match="class lung: needs a case with a point"):
        atlas.fit([], FitContext(seed=0, classes=("lung",)))
    with pytest.raises(ModelError, match="x: has ready-made pictures only, a volume is needed"):
        atlas.fit([], FitContext(seed=0)).predict(CaseInput("x", "x"))
    atlas.fit([], FitContext(seed=0)).save(tmp_path / "m")
    text = (tmp_path / "m" / "model.json").read_text()
    (tmp_path / "m" / "model.json").write_text(text.replace('"atlas"', '"other"'))
    with pytest.raises(ModelError, match="holds no atlas model"):
        atlas.load(tmp_path / "m")
    with pytest.raises(ConfigError, match=r"method 'atals': is not known\. Use one of: .*atlas"):
        build_method("atals", Configuration().training, Configuration().localise)
