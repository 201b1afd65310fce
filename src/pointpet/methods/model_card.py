"""MODEL_CARD.md: what a model is, what it was trained on and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointpet._version import __version__

TASK = "class of the disease and activation maps on coronal and sagittal FDG-PET maximum intensity projections"


def model_card(method: str, record: Mapping[str, Any]) -> str:
    """Markdown text from a network's record (`classes`, `settings`, `training`, and `task` where it is another)."""
    training = record.get("training", {})
    chosen = {**record.get("training_settings", {}), **record.get("settings", {})}
    settings = "\n".join(f"| {name} | {value} |" for name, value in sorted(chosen.items()))
    facts = "\n".join(
        f"| {name} | {value} |" for name, value in sorted(training.items()) if not isinstance(value, list | dict)
    )
    return f"""# Model card: {method}

**Research use only. Not a medical device; not for diagnosis or treatment.**

- Made by pointpet {__version__}.
- Task: {record.get("task", TASK)}.
- Classes: {", ".join(record.get("classes", []))}.
- Input: SUVbw. A model knows the scanners, uptake times and tumours of its training cohort; anything else is untested.

## Training

| Fact | Value |
|---|---|
{facts}

## Settings

| Setting | Value |
|---|---|
{settings}
"""
