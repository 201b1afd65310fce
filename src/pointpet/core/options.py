"""What every settings class shares: a documented default, and one way to tell what is wrong with the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from pointpet.core.errors import Faults, PointpetError


def option(default: Any, doc: str) -> Any:
    """A field of a settings dataclass; `doc` becomes its comment in `pointpet config`."""
    return field(default=default, metadata={"doc": doc})


def raise_faults(subject: str, faults: Sequence[PointpetError]) -> None:
    """Raise a single fault as it is, several together; none is no error.

    Raises:
        PointpetError: the one fault.
        Faults: all of several.
    """
    if faults:
        raise faults[0] if len(faults) == 1 else Faults(subject, faults)
