"""Networks, losses, training and class activation maps.

Importing the package needs no torch. Training is `pointpet.learn.train.train`; what a training gives is
`TrainedNetwork`, which answers with an `Activation`.
"""

from typing import TYPE_CHECKING, Any

from pointpet.learn.activation import Activation
from pointpet.learn.example import Example
from pointpet.learn.settings import TrainingSettings

if TYPE_CHECKING:
    from pointpet.learn.trained import TrainedNetwork

__all__ = ["Activation", "Example", "TrainedNetwork", "TrainingSettings"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for.

    Raises:
        MissingExtraError: torch is not installed.
    """
    if name == "TrainedNetwork":
        from pointpet.learn import trained

        return getattr(trained, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
