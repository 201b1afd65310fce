"""Log messages of the stages, on standard error: warnings always, details under --verbose, in worker processes too."""

from __future__ import annotations

import logging
import os

LEVEL_VARIABLE = "POINTPET_LOG_LEVEL"
"""Carries the level to worker processes, which are spawned and inherit nothing else."""


def configure_logging(*, quiet: bool, verbose: bool) -> None:
    """Set pointpet's log level from a command's options."""
    level = "ERROR" if quiet else "INFO" if verbose else "WARNING"
    os.environ[LEVEL_VARIABLE] = level
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pointpet").setLevel(level)
