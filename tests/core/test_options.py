from dataclasses import dataclass, fields

import pytest

from pointpet.core import ConfigError, Faults, option, raise_faults


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
