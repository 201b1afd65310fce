import numpy as np
import pytest

import pointpet as pp
from pointpet.core import ModelError, SuvError, Unit
from pointpet.io.artefacts import read_json
from pointpet.pipeline.predict import predict_inputs


@pytest.fixture
def volume(cohort_folder):
    return pp.read_pet(cohort_folder / "images" / "C00.nii.gz", units="suv")


def test_a_prediction_holds_mask_class_lesions_and_flags(detector, volume):
    result = detector.model_.predict(volume)
    assert result.mask.grid.matches(volume.grid)
    assert result.predicted == max(result.probabilities, key=result.probabilities.__getitem__)
    assert sum(result.probabilities.values()) == pytest.approx(1)
    assert sum(lesion.mtv_ml for lesion in result.lesions) == pytest.approx(result.mask.volume_ml)
    assert all(isinstance(flag, pp.Flag) for flag in result.flags)
    assert set(result.maps) == set(pp.Plane)
    assert result.hull is not None
    np.testing.assert_array_equal(result.mips.coronal, pp.project(volume, pixel_mm=4.0).coronal)


def test_python_and_the_command_line_say_the_same(detector, volume, cohort_folder, tmp_path):
    detector.model_.save(tmp_path / "model")
    model = pp.load_model(tmp_path / "model")
    assert repr(model) == "<pointpet model: proposed>"
    predict_inputs(tmp_path / "model", [cohort_folder / "images" / "C00.nii.gz"], tmp_path / "out", units="suv")
    written = read_json(tmp_path / "out" / "C00" / "result.json")
    for result in (model.predict(volume), detector.model_.predict(volume)):
        assert result.probabilities == pytest.approx(written["probabilities"])
        assert [flag.value for flag in result.flags] == written["flags"]
        assert [lesion.tlg_g for lesion in result.lesions] == pytest.approx(
            [one["tlg_g"] for one in written["lesions"]]
        )


def test_activity_is_refused(detector, volume):
    activity = pp.Volume(volume.voxels, volume.affine, Unit.ACTIVITY)
    with pytest.raises(SuvError, match=r"volume: must be in g/mL \(SUVbw\), got Bq/mL"):
        detector.model_.predict(activity)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        pp.load_model(tmp_path)
