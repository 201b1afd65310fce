"""Classes without lesions: those that the configuration names, else those that nobody marked a lesion in."""

from __future__ import annotations

from collections.abc import Sequence

from pointpet.core import ConfigError
from pointpet.pipeline.config import Configuration
from pointpet.pipeline.prepare import PreparedCase, PreparedCohort


def lesion_free_classes(prepared: PreparedCohort, configuration: Configuration) -> tuple[str, ...]:
    """Classes without lesions of a whole cohort: the figures of their cases are counted as such.

    Raises:
        ConfigError: the configuration names a class that does not occur, or all of them.
    """
    named, classes = configuration.study.lesion_free, prepared.cohort.classes
    unknown = set(named) - set(classes)
    if unknown:
        raise ConfigError(
            "PP-CONFIG-CHOICE",
            "study.lesion_free",
            f"names classes that do not occur: {', '.join(sorted(unknown))}",
            f"Use some of: {', '.join(classes)}",
        )
    if named and set(named) == set(classes):
        raise ConfigError(
            "PP-CONFIG-CHOICE",
            "study.lesion_free",
            f"must leave a class with lesions, got all of them: {', '.join(classes)}",
            "Name fewer classes",
        )
    return trained_lesion_free(prepared.cases, configuration)


def trained_lesion_free(training: Sequence[PreparedCase], configuration: Configuration) -> tuple[str, ...]:
    """Classes without lesions as far as the cases of one training tell: what else is known of others does not count.

    Those that the configuration names, else those of `training` in which no case has a point or a mask; none where no
    case at all has.
    """
    if configuration.study.lesion_free:
        return configuration.study.lesion_free
    classes = sorted({known.case.label for known in training if known.case.label is not None})
    marked = {known.case.label for known in training if known.case.has_point or known.has_truth} - {None}
    return tuple(name for name in classes if name not in marked) if marked else ()
