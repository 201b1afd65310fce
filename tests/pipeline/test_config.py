import pytest
import yaml

from pointpet.core import ConfigError, Faults
from pointpet.localise.settings import LocaliseSettings
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
    with pytest.raises(Faults, match="must be one of nearest, linear, got 'cubic'"):
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


def test_turned_views_are_made_for_the_pixel_that_training_asks_for():
    asked = build_configuration({"prepare": {"pixel_mm": 2.0}, "training": {"input_mm": 8.0}})
    assert asked.prepare.turned_factor == 0
    assert asked.preparing().turned_factor == 4
    assert build_configuration({"prepare": {"turned_factor": 2}}).preparing().turned_factor == 2


def test_turned_views_are_made_only_where_a_method_learns_from_them():
    defaults = Configuration()
    assert defaults.preparing().turns_deg == defaults.prepare.turns_deg, "whoever prepares alone does not know for whom"
    assert defaults.preparing(("proposed", "click41")).turns_deg == ()
    assert defaults.preparing(("proposed", "unet")).turns_deg
    turned = build_configuration({"training": {"turns": True}, "unet": {"turns": False}})
    assert turned.preparing(("cam_fcn",)).turns_deg
    assert turned.preparing(("unet",)).turns_deg == ()
    assert build_configuration({"unet": {"dimensions": 3}}).preparing(("unet",)).turns_deg == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"turns_deg": [10.0, 0.0]}, r"turns_deg: must be in -180 to 180 each and not 0, got \[10.0, 0.0\]"),
        ({"turned_factor": -1}, "turned_factor: must be 0 or more, got -1"),
    ],
)
def test_turns_out_of_range_are_refused(settings, message):
    with pytest.raises(Faults, match=message):
        build_configuration({"prepare": settings})


def test_all_wrong_settings_of_a_section_are_told_at_once():
    wrong = {"pixel_mm": 99, "turned_factor": -1, "interpolation": "cubic", "picture_suv": "read"}
    with pytest.raises(Faults, match=r"(?s)pixel_mm.*turned_factor|turned_factor.*pixel_mm") as caught:
        build_configuration({"prepare": wrong})
    assert all(f"prepare.{name}" in str(caught.value) for name in wrong)


def test_candidates_without_agreement_are_refused_and_the_remedy_names_both_settings():
    text = (
        "candidates.enabled: needs localise.agree: true, got false: .*"
        "Set localise.agree: true, or candidates.enabled: false"
    )
    with pytest.raises(Faults, match=text):
        build_configuration({"localise": {"agree": False}})
    with pytest.raises(ConfigError, match=text):
        Configuration(localise=LocaliseSettings(agree=False))
    off = build_configuration({"localise": {"agree": False}, "candidates": {"enabled": False}})
    assert not off.localise.agree
