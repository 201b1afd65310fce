import pytest
import yaml

from pointpet.core import ConfigError, Faults
from pointpet.pipeline.config import Configuration, build_configuration, default_yaml, load_configuration


def test_the_printed_configuration_reads_back_as_the_defaults():
    assert build_configuration(yaml.safe_load(default_yaml())) == Configuration()


def test_every_setting_is_explained():
    lines = default_yaml().splitlines()
    settings = [number for number, line in enumerate(lines) if line.startswith("  ") and not line.startswith("  #")]
    assert len(settings) > 30
    assert all(lines[number - 1].startswith("  # ") for number in settings)


def test_every_fault_is_reported_at_once():
    wrong = {
        "training": {"epochs": "many", "no_such": 1, "cam_stride": 5},
        "prepare": {"pixel_mm": 99},
        "extra": {},
        "localise": 3,
    }
    with pytest.raises(Faults) as caught:
        build_configuration(wrong)
    text = str(caught.value)
    for part in ("training.epochs", "training.no_such", "prepare.pixel_mm", "extra", "localise: must be a mapping"):
        assert part in text


def test_a_wrong_choice_names_the_choices():
    with pytest.raises(Faults, match="nearest or linear, got 'cubic'"):
        build_configuration({"prepare": {"interpolation": "cubic"}})


def test_python_tags_are_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: cannot be read: could not determine a constructor"):
        load_configuration(path)


def test_a_list_is_no_configuration(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("- a\n")
    with pytest.raises(ConfigError, match="must hold sections, got list"):
        load_configuration(path)


def test_no_file_gives_the_defaults():
    assert load_configuration(None) == Configuration()


def test_the_digest_follows_the_settings():
    changed = build_configuration({"training": {"epochs": 7}})
    assert changed.digest != Configuration().digest
    assert build_configuration({}).digest == Configuration().digest
