"""The methods by name: those that come with pointpet and those that other packages add by entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pointpet.core import ConfigError

if TYPE_CHECKING:
    from pointpet.learn.settings import TrainingSettings
    from pointpet.localise.settings import LocaliseSettings
    from pointpet.methods.base import Method

ENTRY_POINT_GROUP = "pointpet.methods"
"""A package adds a method by an entry point of this group: a factory `(training, localising) -> Method`."""

BUILT_IN = {
    "proposed": "pointpet.methods.proposed:build",
    "cam_alone": "pointpet.methods.cam_alone:build",
    "cam_fcn": "pointpet.methods.cam_fcn:build",
    "unet": "pointpet.methods.unet:build",
    "rpet3d": "pointpet.methods.rpet3d:build_rpet3d",
    "rpet3d_proposed": "pointpet.methods.rpet3d:build_rpet3d_proposed",
    "suv25": "pointpet.methods.thresholds:build_suv25",
    "suv40": "pointpet.methods.thresholds:build_suv40",
    "fixed41": "pointpet.methods.thresholds:build_fixed41",
    "click41": "pointpet.methods.thresholds:build_click41",
}

Factory = Callable[..., "Method"]
"""`(training, localising)`, and for a built-in method with a section of its own that section's settings."""


def method_names() -> tuple[str, ...]:
    """Names of all methods, built-in ones first."""
    added = sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in BUILT_IN)
    return (*BUILT_IN, *added)


def build_method(
    name: str, training: TrainingSettings, localising: LocaliseSettings, own: Mapping[str, Any] | None = None
) -> Method:
    """Build a method by name.

    Args:
        name: built in or added by entry point.
        training, localising: what the methods share.
        own: method to the settings of its own section of the configuration; the defaults where it has none here.

    Raises:
        ConfigError: no such method.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        factory: Factory = getattr(import_module(module), attribute)
        return factory(training, localising, own[name]) if own and name in own else factory(training, localising)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            return point.load()(training, localising)
    raise ConfigError(
        "PP-METHOD-UNKNOWN",
        f"method {name!r}",
        "is not known",
        f"Use one of: {', '.join(method_names())}",
    )
