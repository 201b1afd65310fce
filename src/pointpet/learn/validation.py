"""Which training patients are held out to choose the epoch. Needs no torch, so that what else they serve can ask."""

from __future__ import annotations

from collections.abc import Mapping

from pointpet.core import generator


def validation_patients(labels: Mapping[str, int], share: float, seed: int) -> frozenset[str]:
    """Patients held out of `labels` (patient to class index), the same for one seed whatever their order.

    Each class gives `share` of its patients, at least one, and keeps at least one; a share of 0 gives none.
    """
    held: set[str] = set()
    for label in sorted(set(labels.values())):
        members = sorted(patient for patient, own in labels.items() if own == label)
        count = min(max(1, round(share * len(members))), len(members) - 1) if share > 0 else 0
        held.update(generator(seed, "validation", label).permutation(members)[:count].tolist())
    return frozenset(held)
