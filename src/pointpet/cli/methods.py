"""`pointpet methods`."""

from __future__ import annotations

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "methods"


def command(quiet: Quiet = False, verbose: Verbose = False) -> None:
    """List the methods and what each is given."""
    from pointpet.learn.settings import TrainingSettings
    from pointpet.localise.settings import LocaliseSettings
    from pointpet.methods.base import Supervision
    from pointpet.methods.registry import build_method, method_names

    rows = []
    for name in method_names():
        method = build_method(name, TrainingSettings(), LocaliseSettings())
        rows.append(
            {
                "method": name,
                "given_in_training": Supervision.text(method.supervision.training),
                "given_at_test_time": Supervision.text(method.supervision.testing),
                "summary": method.summary,
            }
        )
    Console(quiet=quiet, verbose=verbose).table(list(rows[0]), rows)
