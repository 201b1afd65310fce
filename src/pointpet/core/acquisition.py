"""How a PET was acquired: what SUV needs beside the voxels, and what a reader checks first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Acquisition:
    """Facts of one acquisition; None where not known. Holds nothing that names a patient.

    Args:
        weight_kg, height_m, sex: the patient; sex is `M`, `F` or `O`.
        dose_bq: injected dose at injection time. half_life_s: of the nuclide.
        uptake_s: from injection to the start of the scan.
        frame_s: duration of a bed position.
        glucose_mmol_l: blood glucose.
        manufacturer, model: scanner.
        blur_mm: full width at half maximum of the reconstruction, where known (phantoms).
    """

    weight_kg: float | None = None
    height_m: float | None = None
    sex: str | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    uptake_s: float | None = None
    frame_s: float | None = None
    glucose_mmol_l: float | None = None
    manufacturer: str | None = None
    model: str | None = None
    blur_mm: float | None = None

    @property
    def dose_mbq_per_kg(self) -> float | None:
        """Injected activity for the weight; None where one of the two is not known."""
        if self.dose_bq is None or not self.weight_kg:
            return None
        return self.dose_bq / 1e6 / self.weight_kg

    @property
    def scanner(self) -> str:
        """Maker and model; blank where neither is known."""
        return " ".join(part.strip() for part in (self.manufacturer, self.model) if part and part.strip())
