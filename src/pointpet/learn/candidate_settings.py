"""Settings of the candidates: which maxima of uptake are lesions, learned from the clicks. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pointpet.core import check_settings, option


@dataclass(frozen=True)
class CandidateSettings:
    """Maxima of uptake, told from physiology by a forest learned from the training clicks (`proposed`).

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    enabled: bool = option(
        True, "Weigh the maps by what a forest says of each place where uptake stands out; needs localise.agree"
    )
    trees: int = option(300, "Trees of the forest")
    leaf: int = option(2, "Fewest training candidates in a leaf")
    tried_share: float = option(0.4, "Share of the features that each node may choose from")
    near_mm: float = option(16.0, "A candidate this near to a click is the lesion")
    far_mm: float = option(50.0, "A candidate farther than this from every click is none; those between are left out")
    least_clicks: int = option(
        10, "Fewest training clicks of each class that have a candidate near; with fewer the maps stand alone"
    )
    weight: float = option(4.0, "Power of the forest's probability beside the product of the maps")
    class_share: float = option(0.5, "Power of the network's class probability beside the best candidate's")
    sigma_mm: float = option(20.0, "How far a candidate's weight reaches: standard deviation of a Gaussian, mm")

    def __post_init__(self) -> None:
        check_settings(
            self,
            "candidates",
            (
                ("trees", "1 or more", self.trees >= 1),
                ("leaf", "1 or more", self.leaf >= 1),
                ("tried_share", "over 0 and at most 1", 0 < self.tried_share <= 1),
                ("near_mm", "over 0", self.near_mm > 0),
                ("far_mm", "at least near_mm", self.far_mm >= self.near_mm),
                ("least_clicks", "1 or more", self.least_clicks >= 1),
                ("weight", "at least 0", self.weight >= 0),
                ("class_share", "at least 0", self.class_share >= 0),
                ("sigma_mm", "over 0", self.sigma_mm > 0),
            ),
        )
