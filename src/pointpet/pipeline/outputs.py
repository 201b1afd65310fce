"""Output folders: never overwritten unasked, resumed by the same command, one process at a time."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointpet.core import OutputError, text_digest
from pointpet.io.artefacts import LOCK_NAME, read_json, write_json

REQUEST = ".request.json"
"""What made the folder: a run with the same request resumes it, any other is refused."""

NOBODY: Mapping[str, str] = {}


def claim_folder(
    out: Path,
    kind: str,
    request: Mapping[str, Any],
    *,
    overwrite: bool,
    made_by: Mapping[str, str] = NOBODY,
    keep_same: bool = False,
) -> None:
    """Make `out` this request's folder, inside a held lock.

    Args:
        made_by: what `program` says, where answers of two states of the program are not to stand side by side.
        overwrite: begin anew, whatever request the folder is of.
        keep_same: keep what the same request made all the same, where every part of it is known to hold.

    Raises:
        OutputError: it holds another run's output, that of another state of the program, or files of unknown origin,
            and `overwrite` is not set.
    """
    claim = {"kind": kind, "digest": text_digest({"kind": kind, "request": request}), **made_by}
    marker = out / REQUEST
    if marker.is_file():
        held = read_json(marker)
        if held == claim and (keep_same or not overwrite):
            return
        if not overwrite:
            raise _of_another(out, held, claim)
        _refuse_reviewed(out)
        _empty(out)
    elif _visible(out):
        if not overwrite:
            raise OutputError(
                "PP-OUTPUT-EXISTS",
                f"output folder {out.name}",
                "holds files that no pointpet run of this kind made",
                "Choose an empty folder, or pass --overwrite to replace its contents",
            )
        _refuse_precious(out)
        _refuse_reviewed(out)
        _empty(out)
    write_json(marker, claim)


def _of_another(out: Path, held: Mapping[str, Any], claim: Mapping[str, Any]) -> OutputError:
    """Why `out`, claimed by `held`, is not resumed."""
    subject, kind = f"output folder {out.name}", held.get("kind", "unknown")
    same = all(held.get(name) == claim.get(name) for name in ("version", "code"))
    if kind != claim["kind"] or same:
        return OutputError(
            "PP-OUTPUT-EXISTS",
            subject,
            f"holds the output of another run ({kind} with other settings or inputs)",
            "Choose another folder, or pass --overwrite",
        )
    return OutputError(
        "PP-OUTPUT-PROGRAM",
        subject,
        f"holds the output of another state of the program ({kind} of {_state(held)}; this is {_state(claim)}), whose "
        "answers are not to stand beside this one's",
        "Go on with that one, choose another folder, or pass --overwrite to begin anew",
    )


def _state(claim: Mapping[str, Any]) -> str:
    return f"pointpet {claim['version']}, code {claim['code']}" if "code" in claim else "an earlier pointpet"


def _visible(out: Path) -> list[Path]:
    return [path for path in out.iterdir() if not path.name.startswith(".")]


def _refuse_precious(out: Path) -> None:
    """`--overwrite` empties a folder; never one that holds the user's own manifest or the current directory."""
    resolved = out.resolve()
    if (out / "cohort.csv").exists() or resolved in {Path.home(), Path("/"), *Path.cwd().resolve().parents}:
        raise OutputError(
            "PP-OUTPUT-PRECIOUS",
            f"output folder {out.name}",
            "holds a cohort.csv that pointpet did not write, or contains the working directory",
            "Choose another folder",
        )


def _refuse_reviewed(out: Path) -> None:
    """A reader's verdicts cannot be made again by any command, so `--overwrite` does not delete them."""
    if (out / "review.csv").exists():
        raise OutputError(
            "PP-OUTPUT-REVIEWED",
            f"output folder {out.name}",
            "holds review.csv, a reader's verdicts",
            "Move review.csv away first, or choose another folder",
        )


def _empty(out: Path) -> None:
    for path in list(out.iterdir()):
        if path.name == LOCK_NAME:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
