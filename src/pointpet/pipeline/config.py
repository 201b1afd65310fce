"""The configuration: one YAML file, a section a stage, every fault reported at once."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from pointpet.core import ConfigError, Faults, PointpetError, check_settings, option, text_digest
from pointpet.learn.cam_settings import CamSettings
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.unet_settings import UnetSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import Method
from pointpet.methods.registry import build_method
from pointpet.methods.rpet3d import RpetSettings
from pointpet.outcome.settings import OutcomeSettings
from pointpet.quantify.radiomics import RadiomicsSettings


@dataclass(frozen=True)
class PrepareSettings:
    """From SUV to MIPs.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    pixel_mm: float = option(2.0, "edge of a MIP pixel in mm; the paper resamples to 2 mm")
    interpolation: str = option("nearest", "nearest (the paper's k = 1) or linear")
    turns_deg: tuple[float, ...] = option(
        (-25.0, -16.0, -8.0, 8.0, 16.0, 25.0),
        "further views to learn from: the patient turned about the long axis by so many degrees; empty: none",
    )
    picture_suv: str = option(
        "stated",
        "grey values of ready-made pictures: stated (mip_scale; by the body's level where it is blank or cannot be "
        "right) or body (all by the body's level)",
    )
    turned_factor: int = option(
        0, "edge of a pixel of the turned views in MIP pixels; 0: that of training.input_mm, which it must divide"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns_deg", tuple(float(turn) for turn in self.turns_deg))
        in_range = all(-180 <= turn <= 180 and turn for turn in self.turns_deg)
        check_settings(
            self,
            "prepare",
            (
                ("turns_deg", "in -180 to 180 each and not 0", in_range),
                ("turned_factor", "0 or more", self.turned_factor >= 0),
                ("pixel_mm", "0.5 to 8", 0.5 <= self.pixel_mm <= 8),
            ),
            {"picture_suv": ("stated", "body"), "interpolation": ("nearest", "linear")},
        )


@dataclass(frozen=True)
class StudySettings:
    """Cross-validation."""

    methods: tuple[str, ...] = option((), "methods to compare; empty: all that apply to the cohort")
    lesion_free: tuple[str, ...] = option(
        (), "classes without lesions (controls); empty: those in which no case has a point or a mask"
    )
    keep_maps: bool = option(True, "write each case's activation maps beside its mask")


@dataclass(frozen=True)
class AnnotationBudgetSettings:
    """`pointpet study --annotation-budget`: Dice against annotation effort.

    Raises:
        ConfigError: one value is out of its range.
        Faults: several are.
    """

    methods: tuple[str, ...] = option(
        ("proposed", "unet", "click41"), "methods to draw, of those in the study that a click or a mask is given to"
    )
    sizes: tuple[int, ...] = option(
        (5, 10, 20, 40), "numbers of annotated patients in a fold; all patients are drawn beside them"
    )
    click_s: float = option(5.0, "seconds that one click takes")
    mask_s: float = option(600.0, "seconds that outlining one case takes")
    more_epochs: float = option(
        4.0,
        "few patients make short epochs: epochs and patience grow by all / annotated patients, up to this factor; "
        "1 leaves them",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", tuple(self.methods))
        object.__setattr__(self, "sizes", tuple(sorted(set(self.sizes))))
        check_settings(
            self,
            "annotation_budget",
            (
                ("sizes", "1 or more each", all(size >= 1 for size in self.sizes)),
                ("click_s", "over 0", self.click_s > 0),
                ("mask_s", "over 0", self.mask_s > 0),
                ("more_epochs", "1 or more", self.more_epochs >= 1),
            ),
        )


SECTIONS: Mapping[str, type] = {
    "prepare": PrepareSettings,
    "training": TrainingSettings,
    "candidates": CandidateSettings,
    "localise": LocaliseSettings,
    "radiomics": RadiomicsSettings,
    "outcome": OutcomeSettings,
    "cam_alone": CamSettings,
    "cam_fcn": FcnSettings,
    "unet": UnetSettings,
    "rpet3d": RpetSettings,
    "study": StudySettings,
    "annotation_budget": AnnotationBudgetSettings,
}


@dataclass(frozen=True)
class Configuration:
    """All settings of a run.

    Raises:
        ConfigError: settings of two sections contradict each other.
    """

    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    localise: LocaliseSettings = field(default_factory=LocaliseSettings)
    radiomics: RadiomicsSettings = field(default_factory=RadiomicsSettings)
    outcome: OutcomeSettings = field(default_factory=OutcomeSettings)
    cam_alone: CamSettings = field(default_factory=CamSettings)
    cam_fcn: FcnSettings = field(default_factory=FcnSettings)
    unet: UnetSettings = field(default_factory=UnetSettings)
    rpet3d: RpetSettings = field(default_factory=RpetSettings)
    study: StudySettings = field(default_factory=StudySettings)
    annotation_budget: AnnotationBudgetSettings = field(default_factory=AnnotationBudgetSettings)

    def __post_init__(self) -> None:
        if self.candidates.enabled and not self.localise.agree:
            raise ConfigError(
                "PP-CONFIG-TOGETHER",
                "candidates.enabled",
                "needs localise.agree: true, got false: candidates weigh voxels where both maps are made to agree",
                "Set localise.agree: true, or candidates.enabled: false",
            )

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values, as YAML and JSON hold them."""
        return {name: _plain(asdict(getattr(self, name))) for name in SECTIONS}

    def preparing(self, methods: Collection[str] = ()) -> PrepareSettings:
        """The settings of `prepare` with the pixel of the turned views settled, and without these where nobody asks.

        Args:
            methods: names of those that will learn from what is prepared; empty: any may.
        """
        wanted = max(1, round(self.training.input_mm / self.prepare.pixel_mm))
        settled = replace(self.prepare, turned_factor=self.prepare.turned_factor or wanted)
        unet = self.unet.turns and self.unet.dimensions == 2
        learns = [unet if name == "unet" else self.training.turns for name in methods or ("unet", "proposed")]
        return settled if any(learns) else replace(settled, turns_deg=())

    def method(self, name: str) -> Method:
        """Build a method by name, with the settings of its own section where it has one.

        Raises:
            ConfigError: no such method.
        """
        return build_method(
            name,
            self.training,
            self.localise,
            {
                "proposed": self.candidates,
                "cam_alone": self.cam_alone,
                "cam_fcn": self.cam_fcn,
                "unet": self.unet,
            },
        )

    @property
    def digest(self) -> str:
        """Hash of every setting."""
        return text_digest(self.as_dict())


def _plain(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in section.items()}


def _build_section(name: str, values: Any) -> tuple[Any, list[PointpetError]]:
    section_type = SECTIONS[name]
    if not isinstance(values, Mapping):
        return None, [_fault(name, f"must be a mapping of settings, got {type(values).__name__}")]
    known = {item.name for item in fields(section_type)}
    faults: list[PointpetError] = [
        _fault(f"{name}.{key}", "is no setting", f"Use one of: {', '.join(sorted(known))}")
        for key in values
        if key not in known
    ]
    try:
        section = TypeAdapter(section_type).validate_python({k: v for k, v in values.items() if k in known})
    except ValidationError as error:
        for item in error.errors():
            where = ".".join([name, *map(str, item["loc"])])
            faults.append(_fault(where, f"{item['msg'].lower()}, got {item['input']!r}"))
        return None, faults
    except PointpetError as error:
        return None, [*faults, error]
    return section, faults


def _fault(subject: str, problem: str, remedy: str = "See `pointpet config` for every setting") -> ConfigError:
    return ConfigError("PP-CONFIG", subject, problem, remedy)


def build_configuration(values: Mapping[str, Any]) -> Configuration:
    """Check nested plain values and build a configuration.

    Raises:
        Faults: with every unknown name, wrong type, value out of range and contradiction.
    """
    faults: list[PointpetError] = [
        _fault(str(name), "is no section", f"Use one of: {', '.join(SECTIONS)}")
        for name in values
        if name not in SECTIONS
    ]
    sections = {}
    for name in SECTIONS:
        sections[name], found = _build_section(name, values.get(name) or {})
        faults += found
    if faults:
        raise Faults("configuration", faults)
    try:
        return Configuration(**sections)
    except ConfigError as error:
        raise Faults("configuration", [error]) from error


def load_configuration(path: Path | None) -> Configuration:
    """Read a YAML file (safe loader); None gives the defaults.

    Raises:
        ConfigError: unreadable or no YAML mapping.
        Faults: every wrong setting.
    """
    if path is None:
        return Configuration()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()).replace(str(path), path.name)
        raise ConfigError("PP-CONFIG-YAML", path.name, f"cannot be read: {reason}", "Correct the file") from error
    if not isinstance(values, Mapping):
        raise _fault(path.name, f"must hold sections, got {type(values).__name__}")
    return build_configuration(values)


def default_yaml() -> str:
    """The default configuration as YAML, each setting under a comment that says what it does."""
    lines = ["# pointpet configuration: every setting with its default. Keep only the lines that you change."]
    for name, section_type in SECTIONS.items():
        summary = (section_type.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"# {summary}", f"{name}:"]
        for item in fields(section_type):
            comment = item.metadata.get("doc", "")
            lines += [f"  # {line}" for line in textwrap.wrap(comment, 110)]
            default = item.default if item.default is not MISSING else item.default_factory()  # type: ignore[misc]
            value = list(default) if isinstance(default, tuple) else default
            text = yaml.safe_dump(value, default_flow_style=True, width=1000).replace("\n...", "").strip()
            lines.append(f"  {item.name}: {text}")
    return "\n".join(lines) + "\n"
