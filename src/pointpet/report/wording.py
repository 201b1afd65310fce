"""How numbers and names are written in the report."""

from __future__ import annotations

from pointpet.evaluate.classification import Interval

BLANK = "–"

METHOD_TITLES = {
    "proposed": "Proposed",
    "cam_alone": "CAMs alone",
    "cam_fcn": "CAMs & FCN",
    "unet": "U-Net",
    "rpet3d": "3D-RPET-Net",
    "rpet3d_proposed": "3D-RPET-Net, proposed masks",
    "suv25": "SUV 2.5",
    "suv40": "SUV 4.0",
    "fixed41": "41 % of the maximum",
    "click41": "Click and 41 %",
    "true_mask": "True mask (reference)",
}
"""Short names for tables and axes; a method not listed goes by its own name."""

ENDPOINT_TITLES = {"response": "response to treatment", "survival3y": "3-year survival"}
"""Endpoints of the paper in words; another goes by its own name."""

_ENDPOINT_ONES = {"response": "responded to treatment", "survival3y": "were alive after three years"}

MODEL_TITLES = {"elastic_net": "Logistic, elastic net", "random_forest": "Random forest"}

FLAG_TEXTS = {
    "empty": "no voxel was selected",
    "map_empty": "a view's activation map has no positive value",
    "maps_disagree_on_z": "the two views' peaks lie at different heights",
    "low_class_probability": "the predicted class is hardly likelier than the others",
    "hull_touches_border": "the hull reaches the edge of the field of view",
    "cold_point": "the click lies on low uptake",
    "large_mask": "the mask is larger than tumours usually are",
    "maps_blind": "neither view's activation map shows a lesion that was outlined",
    "unlike_training": "what was outlined looks unlike the lesions of the training",
    "phantom_trained_model": "the model was trained on digital phantoms",
}


def method_title(name: str) -> str:
    """A method's name for readers."""
    return METHOD_TITLES.get(name, name)


def endpoint_title(name: str) -> str:
    """An endpoint's name for readers."""
    return ENDPOINT_TITLES.get(name, name)


def endpoint_one(name: str) -> str:
    """What is true of cases with the value 1 of an endpoint, as the end of a sentence."""
    return _ENDPOINT_ONES.get(name, f"have {name} = 1")


def flag_text(flag: str) -> str:
    """What a quality flag says, in words."""
    return FLAG_TEXTS.get(flag, flag.replace("_", " "))


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign; a dash where there is none. What rounds to 0 has no sign."""
    return BLANK if value is None else f"{_rounded(value, digits):.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign; one that rounds to 0 has none."""
    if value is None:
        return BLANK
    rounded = _rounded(value, digits)
    return f"{rounded:{'+' if rounded else ''}.{digits}f}".replace("-", "−")


def _rounded(value: float, digits: int) -> float:
    """Rounded as it is written; 0 where that would be -0."""
    return float(f"{value:.{digits}f}") + 0.0


def mean_sd(mean: float | None, sd: float | None, digits: int = 2) -> str:
    """`0.73 ± 0.09`; without the deviation where it is unknown."""
    if mean is None:
        return BLANK
    return number(mean, digits) if sd is None else f"{number(mean, digits)} ± {number(sd, digits)}"


def limits(low: float | None, high: float | None, digits: int = 2) -> str:
    """`0.68 to 0.78`."""
    return "" if low is None or high is None else f"{number(low, digits)} to {number(high, digits)}"


def with_interval(interval: Interval | None, digits: int = 2) -> str:
    """`0.73 (0.68 to 0.78)`."""
    if interval is None:
        return BLANK
    return f"{number(interval.value, digits)} ({limits(interval.low, interval.high, digits)})"


def share(interval: Interval | None, of: str = "") -> str:
    """A proportion as per cent with its interval: `97 % (93 to 99)`."""
    if interval is None:
        return BLANK
    return f"{percent(interval.value)}{of} ({100 * interval.low:.0f} to {100 * interval.high:.0f})"


def percent(value: float | None) -> str:
    """`97 %`."""
    return BLANK if value is None else f"{100 * value:.0f}\u00a0%"


def p_value(value: float | None) -> str:
    """`0.034`, and `< 0.001` below that."""
    if value is None:
        return BLANK
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """`58 s` or `3 min 20 s`."""
    if seconds is None:
        return BLANK
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def listing(words: list[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
