import pytest

from pointpet.core import ConfigError, Faults
from pointpet.quantify.radiomics import RadiomicsSettings


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"spacing_mm": 0.1}, r"radiomics\.spacing_mm: must be 0\.5 to 10\.0, got 0\.1"),
        ({"bin_suv": 0.0}, r"radiomics\.bin_suv: must be 0\.01 to 10\.0, got 0\.0"),
        ({"interpolation": "sinc"}, r"radiomics\.interpolation: must be one of nearest, linear, cubic, got 'sinc'"),
        (
            {"mask_interpolation": "cubic"},
            r"radiomics\.mask_interpolation: must be one of nearest, linear, got 'cubic'",
        ),
    ],
)
def test_a_wrong_value_is_named(setting, message):
    with pytest.raises(ConfigError, match=message):
        RadiomicsSettings(**setting)


def test_all_faults_come_together():
    with pytest.raises(Faults, match="radiomics: 2 faults") as caught:
        RadiomicsSettings(spacing_mm=99.0, bin_suv=-1.0)
    assert len(caught.value.faults) == 2


def test_no_spacing_means_the_own_grid():
    assert RadiomicsSettings(spacing_mm=None).spacing_mm is None
