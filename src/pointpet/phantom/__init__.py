"""A digital FDG cohort with known truth: anatomy, tumours, scanner and outcomes. Reads and writes no file."""

from pointpet.phantom.generate import PRESETS, PhantomCase, assigned_label, generate_case
from pointpet.phantom.outcomes import best_auc

__all__ = ["PRESETS", "PhantomCase", "assigned_label", "best_auc", "generate_case"]
