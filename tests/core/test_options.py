from dataclasses import dataclass, fields

import pytest

from pointpet.core import ConfigError, Faults, check_settings, option, raise_faults


def fault(name: str) -> ConfigError:
    return ConfigError("PP-CONFIG", name, "is wrong", "Correct it")


def test_an_option_has_its_default_and_its_comment() -> None:
    @dataclass(frozen=True)
    class Settings:
        size_mm: float = option(2.0, "edge")

    assert Settings().size_mm == 2.0
    assert fields(Settings)[0].metadata["doc"] == "edge"


def test_one_fault_is_raised_as_it_is_and_several_together() -> None:
    raise_faults("settings", [])
    with pytest.raises(ConfigError, match="first: is wrong"):
        raise_faults("settings", [fault("first")])
    with pytest.raises(Faults, match=r"settings: 2 faults\n.*first: is wrong.*\n.*second: is wrong"):
        raise_faults("settings", [fault("first"), fault("second")])


@dataclass(frozen=True)
class Example:
    sizes: tuple[int, ...] = (3, 0)
    rule: str = "fast"


def test_values_out_of_range_and_unknown_choices_are_told_together() -> None:
    ranges = (("sizes", "1 or more each", False),)
    check_settings(Example(), "part", (("sizes", "anything", True),), {"rule": ("fast", "slow")})
    with pytest.raises(ConfigError, match=r"^part\.sizes: must be 1 or more each, got \[3, 0\]\. Correct it\.$") as one:
        check_settings(Example(), "part", ranges)
    assert one.value.code == "PP-CONFIG-RANGE"
    with pytest.raises(ConfigError, match=r"rule: must be one of slow, slower, got 'fast'\. Choose one of them") as one:
        check_settings(Example(), "part", choices={"rule": ("slow", "slower")})
    assert one.value.code == "PP-CONFIG-CHOICE"
    with pytest.raises(Faults, match=r"part: 2 faults\n.*part\.sizes.*\n.*part\.rule"):
        check_settings(Example(), "part", ranges, {"rule": ("slow",)})
