import re

from pointpet.quantify.radiomics import FEATURES


def test_names_codes_and_tags_are_unique_and_well_formed():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == 169
    assert len({feature.code for feature in FEATURES}) == len(FEATURES)
    for feature in FEATURES:
        assert re.fullmatch(r"[A-Z0-9]{4}", feature.code)
        assert re.fullmatch(r"(morph|loc|ivh|stat|ih|cm|rlm|szm|dzm|ngt|ngl)_[a-z0-9_]+", feature.tag)
        assert feature.name == f"{feature.tag}_{feature.code}"
        assert feature.title


def test_codes_of_ibsi():
    """Reference manual, sections 3.1 to 3.11."""
    codes = {feature.tag: feature.code for feature in FEATURES}
    assert codes["stat_mean"] == "Q4LE"
    assert codes["morph_volume"] == "RNU0"
    assert codes["cm_joint_entr"] == "TU9B"
    assert codes["szm_sze"] == "5QRC"
    assert codes["cm_sum_entr"] == "P6QZ"
    assert codes["ih_p90"] == "OZ0C"
    assert codes["ngt_strength"] == "1X9X"
