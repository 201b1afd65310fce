"""Whether a folder holds results to look at and, where not, what it is instead. Loads no heavy library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointpet.core import OutputError

PREDICTIONS = "predictions"
RESULT = "result.json"


def require_results(folder: Path) -> None:
    """Stop where neither a study nor `predict` has left a result of a case in `folder`.

    Raises:
        OutputError: says what the folder is and which command is meant.
    """
    if not any(folder.glob(f"[!.]*/{RESULT}")) and not any(folder.glob(f"{PREDICTIONS}/*/*/{RESULT}")):
        raise no_results(folder)


def no_results(folder: Path) -> OutputError:
    """What to say of a folder without results."""
    from pointpet.core import OutputError

    problem, remedy = _instead(folder)
    return OutputError("PP-VIEW-EMPTY", folder.resolve().name, f"holds no results: {problem}", remedy)


def _instead(folder: Path) -> tuple[str, str]:
    """What a folder without results is, and what to do."""
    below = next((path for path in sorted(folder.glob("[!.]*")) if _is_study(path)), None)
    if (folder / "model.json").is_file():
        return "it is a model", "Run `pointpet predict MODEL INPUT... -o OUT` and give OUT"
    if _is_study(folder):
        return "the study has predicted no case yet", "Run the same `pointpet study` to its end"
    if (folder / RESULT).is_file():
        return "it is one case", "Give the folder of all cases"
    if below is not None:
        return f"a study lies in {below.name}", f"Give {below.name}"
    if (folder / "cohort.csv").is_file():
        return (
            "it is a cohort, scans and their manifest",
            "Look at its scans with `pointpet annotate cohort.csv`, or give what `pointpet study` or "
            "`pointpet predict` wrote",
        )
    return "nothing that pointpet predicted lies there", "Give what `pointpet study` or `pointpet predict` wrote"


def _is_study(folder: Path) -> bool:
    return (folder / "folds.csv").is_file()
