"""Models that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pointpet.io.model_folder import RECORD_NAME

SHIPPED = Path(str(files("pointpet"))) / "shipped"
"""One folder a model."""


def shipped_models() -> tuple[str, ...]:
    """Their names."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{RECORD_NAME}")))


def find_model(model: str | Path) -> Path:
    """The folder of a model: a path, or the name of one that comes with the package.

    A folder that holds a model goes before a name; one that holds something else, such as what `make demo` leaves,
    does not.
    """
    folder = Path(model)
    if str(model) in shipped_models() and not (folder / RECORD_NAME).is_file():
        return SHIPPED / str(model)
    return folder
