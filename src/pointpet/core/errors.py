"""Errors a user can act on: a code, a subject, what was required and received, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence


class PointpetError(Exception):
    """Base of every error that reaches a user.

    Args:
        code: stable identifier, `PP-AREA-NAME`; the guide's troubleshooting page is keyed by it.
        subject: what is at fault, by case id, instance number or field; never a patient's name or a source path.
        problem: requirement and received value, one clause without a full stop.
        remedy: what to do, one sentence without a full stop.
    """

    def __init__(self, code: str, subject: str, problem: str, remedy: str) -> None:
        super().__init__(f"{subject}: {problem}. {remedy}.")
        self.code = code
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the four fields, so that an error crosses process borders unchanged."""
        return (type(self), (self.code, self.subject, self.problem, self.remedy))

    def about(self, subject: str) -> PointpetError:
        """Return the same error with `subject` (usually a case) named in front of its own subject."""
        return type(self)(self.code, f"{subject}: {self.subject}", self.problem, self.remedy)


class GeometryError(PointpetError):
    """Grids, affines or points that do not fit together."""


class ImageReadError(PointpetError):
    """A file or series that cannot be read as the image it should be."""


class SuvError(PointpetError):
    """A header from which no SUV can be computed without guessing."""


class CohortError(PointpetError):
    """A fault in cohort.csv or points.csv."""


class ConfigError(PointpetError):
    """A fault in a configuration."""


class ModelError(PointpetError):
    """A model folder that is missing, foreign or does not fit."""


class TrainingError(PointpetError):
    """Training data or a training run from which no usable model can come."""


class OutputError(PointpetError):
    """An output that exists, is locked by another process, or cannot be written."""


class MissingExtraError(PointpetError):
    """An optional dependency that the asked-for work needs is not installed."""


class WorkerError(PointpetError):
    """A task that ended without an answer, since its worker process died."""


class ClusterError(PointpetError):
    """A cluster that cannot be reached, was lost, or whose workers are unfit for the task."""


class Faults(PointpetError):
    """Several faults found in one pass, reported together.

    Args:
        subject: the file or object that was checked.
        faults: the single errors, in the order found; at least one.
    """

    def __init__(self, subject: str, faults: Sequence[PointpetError]) -> None:
        self.faults = tuple(faults)
        listing = "\n".join(f"  [{fault.code}] {fault}" for fault in self.faults)
        plural = "fault" if len(self.faults) == 1 else "faults"
        super().__init__("PP-FAULTS", subject, f"{len(self.faults)} {plural} found", "Correct each one listed")
        self.args = (f"{subject}: {len(self.faults)} {plural}\n{listing}",)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.subject, self.faults))
