"""What a result page says of how it came about: machine, version, and the commit that ran."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pointpet
from pointpet._version import __version__
from pointpet.pipeline.machine import describe_machine

RESULTS = ":(exclude)docs"
"""Pages that an earlier run wrote change nothing about what the next one measures."""


def commit_of(package: Path) -> str:
    """The commit that a package's files belong to: its short hash, and whether the tree differs from it.

    Args:
        package: folder of the package. One that git does not track, such as an installed one, has no repository.
    """
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return "no repository"
    root = Path(_git(package, "rev-parse", "--show-toplevel") or ".")
    commit = f"commit {_git(root, 'rev-parse', '--short', 'HEAD')}"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", RESULTS)
    return f"{commit}, with changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it is not installed or refuses."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


VERSION = f"pointpet {__version__} ({commit_of(Path(pointpet.__file__).parent)})"
"""Of what runs. Asked for as the program starts: a long one outlives the commit it began with."""


def machine() -> str:
    """Cores, processor, Python and `VERSION`, without the host's name."""
    return f"{os.cpu_count()} cores of {describe_machine()['cpu']}, Python {platform.python_version()}, {VERSION}"
