"""SUV statistics of lesions and masks."""

from pointpet.quantify.suv_statistics import SuvSummary, describe_lesions, suv_peak, suv_summary

__all__ = ["SuvSummary", "describe_lesions", "suv_peak", "suv_summary"]
