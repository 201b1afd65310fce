"""What every settings class shares: a documented default, and one way to tell what is wrong with the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from pointpet.core.errors import ConfigError, Faults, PointpetError


def option(default: Any, doc: str) -> Any:
    """A field of a settings dataclass; `doc` becomes its comment in `pointpet config`."""
    return field(default=default, metadata={"doc": doc})


def check_settings(
    settings: object,
    section: str,
    ranges: Sequence[tuple[str, str, bool]] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Stop where values of a settings object are out of their range, all of them told together.

    Args:
        settings: what holds the values.
        section: of the configuration, for the faults' subjects.
        ranges: name of a setting, what it must be, and whether it is.
        choices: name of a setting to what it may be.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """
    faults: list[PointpetError] = [
        ConfigError(
            "PP-CONFIG-RANGE", f"{section}.{name}", f"must be {rule}, got {_shown(settings, name)}", "Correct it"
        )
        for name, rule, holds in ranges
        if not holds
    ]
    faults += [
        ConfigError(
            "PP-CONFIG-CHOICE",
            f"{section}.{name}",
            f"must be one of {', '.join(allowed)}, got {getattr(settings, name)!r}",
            "Choose one of them",
        )
        for name, allowed in (choices or {}).items()
        if getattr(settings, name) not in allowed
    ]
    raise_faults(section, faults)


def _shown(settings: object, name: str) -> Any:
    value = getattr(settings, name)
    return list(value) if isinstance(value, tuple) else value


def raise_faults(subject: str, faults: Sequence[PointpetError]) -> None:
    """Raise a single fault as it is, several together; none is no error.

    Raises:
        PointpetError: the one fault.
        Faults: all of several.
    """
    if faults:
        raise faults[0] if len(faults) == 1 else Faults(subject, faults)
