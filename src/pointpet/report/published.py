"""The figures that the method's authors published, to stand beside a study's own.

Source: Amyar et al. 2020, tables 1 (oesophagus, response to treatment) and 2 (lung, 3-year survival): mean and standard
deviation over five folds, 195 patients of one centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REFERENCE = (
    "Amyar A, Modzelewski R, Vera P, Morard V, Ruan S. Weakly Supervised PET Tumor Detection Using Class Response, "
    "2020, tables 1 and 2: 98 patients with lung and 97 with oesophageal cancer"
)

MEASURES = ("dice", "accuracy", "sensitivity", "specificity", "auc")

Value = tuple[float, float]


@dataclass(frozen=True)
class PublishedRow:
    """Mean and standard deviation of each measure as printed; None where the table has a dash."""

    title: str
    dice: Value | None = None
    accuracy: Value | None = None
    sensitivity: Value | None = None
    specificity: Value | None = None
    auc: Value | None = None


_OESOPHAGUS = {
    "unet": PublishedRow("U-NET", (0.42, 0.16)),
    "cam_alone": PublishedRow("CAMs alone", (0.53, 0.17), (0.57, 0.03), (0.61, 0.28), (0.56, 0.24), (0.53, 0.26)),
    "cam_fcn": PublishedRow("CAMs & FCNs", (0.66, 0.07), (0.57, 0.04), (0.69, 0.21), (0.47, 0.22), (0.51, 0.24)),
    "rpet3d": PublishedRow("3D-RPET-Net", None, (0.72, 0.08), (0.79, 0.17), (0.62, 0.21), (0.70, 0.04)),
    "proposed": PublishedRow("Our", (0.73, 0.09), (0.69, 0.04), (0.80, 0.14), (0.59, 0.26), (0.67, 0.08)),
}
_LUNG = {
    "unet": PublishedRow("U-NET", (0.57, 0.19)),
    "cam_alone": PublishedRow("CAMs alone", (0.63, 0.14), (0.61, 0.07), (0.59, 0.21), (0.57, 0.15), (0.55, 0.24)),
    "cam_fcn": PublishedRow("CAMs & FCNs", (0.73, 0.12), (0.59, 0.07), (0.63, 0.12), (0.57, 0.19), (0.57, 0.17)),
    "rpet3d": PublishedRow("3D-RPET-Net", None, (0.68, 0.17), (0.72, 0.09), (0.54, 0.07), (0.61, 0.03)),
    "proposed": PublishedRow("Our", (0.77, 0.07), (0.65, 0.05), (0.65, 0.18), (0.58, 0.15), (0.59, 0.04)),
}
_BY_LABEL = {"lung": _LUNG, "oesophagus": _OESOPHAGUS, "esophagus": _OESOPHAGUS}


def published_rows(label: str) -> Mapping[str, PublishedRow]:
    """Method name to published row for a class; empty for classes that the paper has not."""
    return _BY_LABEL.get(label.lower(), {})


def published_endpoint(label: str) -> str | None:
    """The outcome that the paper predicts for a class; None for classes that the paper has not."""
    return {"lung": "survival3y", "oesophagus": "response", "esophagus": "response"}.get(label.lower())
