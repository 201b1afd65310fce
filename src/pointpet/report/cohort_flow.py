"""The report's cohort flow: cases in, excluded and why, and how the others were acquired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pointpet.image import acquisition_qc as qc

SOURCE = (
    "EANM procedure guidelines for FDG-PET/CT tumour imaging 2.0 (Boellaard et al., Eur J Nucl Med Mol Imaging 2015); "
    "for the body's median, values that are hardly SUV lie outside."
)
MISSING = "n/a"

_MEASURES = (
    # name, title, usual range, the code of a remark on it
    ("uptake_min", "Uptake time, min", qc.UPTAKE_MIN, "PP-QC-UPTAKE"),
    ("dose_mbq_per_kg", "Injected activity, MBq/kg", qc.DOSE_MBQ_PER_KG, "PP-QC-DOSE"),
    ("glucose_mmol_l", "Blood glucose, mmol/L", (qc.LEAST_GLUCOSE_MMOL_L, qc.LARGEST_GLUCOSE_MMOL_L), "PP-QC-GLUCOSE"),
    ("liver_suv", "Liver SUVmean, g/mL", qc.LIVER_SUV, "PP-QC-LIVER"),
    ("body_median_suv", "Body median SUV, g/mL", qc.BODY_MEDIAN_SUV, "PP-QC-BODY"),
)
_KINDS = (("sites", "Site"), ("scanners", "Scanner"), ("voxels", "Voxel size"))


def cohort_flow(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rows of the flow's tables from study.json; None for a study of a version that recorded none."""
    flow = record.get("flow")
    if flow is None:
        return None
    summary = flow["acquisition"]
    why = Counter(one["code"] for one in flow["excluded"])
    reasons = ", ".join(f"{code} {count}" for code, count in why.most_common()) or "–"
    return {
        "steps": [
            ("In the manifest", str(flow["cases"]), f"{flow['patients']} patients"),
            ("Excluded", str(len(flow["excluded"])), reasons),
            ("In the study", str(flow["included"]), "–"),
        ],
        "excluded": [(one["case_id"], one["code"], one["reason"]) for one in flow["excluded"]],
        "scans": summary["scans"],
        "measures": [_measure_row(summary, *measure) for measure in _MEASURES] if summary["scans"] else [],
        "kinds": [(title, name, str(count)) for kind, title in _KINDS for name, count in summary[kind].items()],
        "source": SOURCE,
    }


def _measure_row(
    summary: Mapping[str, Any], name: str, title: str, usual: tuple[float, float], code: str
) -> tuple[str, ...]:
    spread = summary["measures"][name]
    values = (MISSING if spread[key] is None else f"{spread[key]:.3g}" for key in ("median", "lo", "hi"))
    outside = str(summary["remarks"].get(code, 0)) if spread["known"] else MISSING
    return (title, f"{spread['known']} of {summary['scans']}", *values, f"{usual[0]:g} to {usual[1]:g}", outside)
