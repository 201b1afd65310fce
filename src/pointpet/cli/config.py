"""`pointpet config`."""

from __future__ import annotations

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "config"


def command(quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Print the default configuration with comments (YAML)."""
    from pointpet.pipeline.config import default_yaml

    Console(quiet=quiet, verbose=verbose).result(default_yaml().rstrip())
