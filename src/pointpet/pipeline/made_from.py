"""What an answer or a model was made from, kept beside it: whether that is still what is asked about.

A record holds `seen`, a digest of names, sizes and times of files; `content`, a hash of what they hold; and `told`, a
digest of what is said of them elsewhere. A file that was only touched, copied or moved makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pointpet.core import text_digest
from pointpet.io.stamps import content_hash, file_stamps

RECORD = ".inputs.json"

MadeFrom = Mapping[str, str]
"""`seen`, `content` and `told`."""


def made_from(files: Sequence[Path], told: object, known: MadeFrom) -> MadeFrom:
    """The record of `files` and `told` as they are now; files are read only where their stamps differ from `known`'s.

    Args:
        files: and folders. told: as JSON holds it. known: the record of an earlier run, or an empty one.
    """
    seen = text_digest(file_stamps(files))
    content = known["content"] if known.get("seen") == seen else content_hash(files)
    return {"seen": seen, "content": content, "told": text_digest(told)}


def is_same(known: MadeFrom, now: MadeFrom) -> bool:
    """True where what was made from `known` holds for `now`."""
    return all(known.get(fact) == now.get(fact) for fact in ("content", "told"))
