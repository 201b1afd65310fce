"""What a model keeps of its training cases: enough for its card, nothing that names a patient or a site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pointpet.pipeline.acquisition import summarise
from pointpet.pipeline.prepare import PreparedCase


def training_facts(cases: Sequence[PreparedCase], *, source: str, digest: str) -> dict[str, Any]:
    """Facts of the training cases as plain values.

    Args:
        cases: the labelled ones that are trained on.
        source, digest: of their manifest, as in `Cohort`.

    Returns:
        `source`, `digest`, `trained_on` (a date), `cases`, `patients`, `by_label`, `pointed` (cases with a point) and
        `acquisition` (`scans`, `measures`, `scanners`, `voxels`, as `acquisition.summarise` gives them).
    """
    summary = summarise((prepared.case, prepared.facts) for prepared in cases)
    return {
        "source": source,
        "digest": digest,
        "trained_on": datetime.now(UTC).date().isoformat(),
        "cases": len(cases),
        "patients": len({prepared.case.patient_id for prepared in cases}),
        "by_label": dict(sorted(Counter(str(prepared.case.label) for prepared in cases).items())),
        "pointed": sum(prepared.case.has_point for prepared in cases),
        "acquisition": {name: summary[name] for name in ("scans", "measures", "scanners", "voxels")},
    }
