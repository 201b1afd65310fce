"""Which program runs: its version, and a hash of the code that its answers come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from pointpet._version import __version__
from pointpet.methods.registry import BUILT_IN, ENTRY_POINT_GROUP

SHOWING = frozenset({"api", "bench", "cli", "phantom", "report", "shipped", "web"})
"""Parts of the package that no answer of a study comes from: they ask for it, show it, or make other things."""

LETTERS = 12

PACKAGE = Path(__file__).parents[1]


def program() -> dict[str, str]:
    """`version` and `code` of what runs."""
    return {"version": __version__, "code": answering_code(PACKAGE)}


@lru_cache
def answering_code(package: Path) -> str:
    """Hash of the package's source, but for the parts in `SHOWING`: between two releases the version says nothing.

    Comments count too: a tree that differs in those alone is told apart, which costs a rerun and mixes no answers.
    """
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.parts[0] not in SHOWING:
            # Line ends differ with the way the package was fetched.
            content = path.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{place.as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:LETTERS]


def added_by(methods: Iterable[str]) -> dict[str, str]:
    """Of the methods that other packages add, name and version of the package."""
    wanted = set(methods) - set(BUILT_IN)
    points = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name in wanted and point.dist]
    return {point.name: f"{point.dist.name} {point.dist.version}" for point in points if point.dist}
