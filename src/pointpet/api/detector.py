"""A scikit-learn classifier of cases that also finds the tumour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pointpet.api.model import Model
from pointpet.core import Case, Cohort, CohortError, ConfigError
from pointpet.methods.base import Given
from pointpet.pipeline.case_inputs import VolumeReader, case_input
from pointpet.pipeline.config import Configuration, build_configuration, load_configuration
from pointpet.pipeline.prepare import PreparedCohort, prepare_cohort
from pointpet.pipeline.train import fit_prepared, require_prepared


class WeakDetector(ClassifierMixin, BaseEstimator):
    """Learns a class label and one click per patient; tells the class of new cases and outlines the tumour.

    Cases go in where scikit-learn's own classifiers take a matrix: a `Cohort`, or a list of its cases, so that
    `cross_val_score(WeakDetector(), cohort.cases, labels, groups=patients)` and `GridSearchCV` work.

    Args:
        method: a method that learns from labels: `proposed`, `cam_alone`, `cam_fcn`, `unet`, or one of a plug-in.
        configuration: None for the defaults; nested settings as in `pointpet config`, for example
            `{"training": {"epochs": 20}}`; a YAML file; or a `Configuration`.
        seed: enters every random choice.
        workers: processes that read and project the scans.
        cache: folder that keeps the projections between fits, one process at a time; None keeps none.

    Attributes:
        classes_: (C,) the class labels, sorted.
        model_: the trained `Model`: `model_.predict(volume)` gives the mask, `model_.save(folder)` a model folder.
    """

    def __init__(
        self,
        method: str = "proposed",
        *,
        configuration: Configuration | Mapping[str, Any] | str | Path | None = None,
        seed: int = 0,
        workers: int = 1,
        cache: str | Path | None = None,
    ) -> None:
        self.method = method
        self.configuration = configuration
        self.seed = seed
        self.workers = workers
        self.cache = cache

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        tags.no_validation = True
        return tags

    def fit(self, X: Cohort | Sequence[Case], y: ArrayLike | None = None) -> WeakDetector:
        """Train on cases.

        Args:
            X: cases with their points.
            y: (n,) class of each case; the cases' own labels where absent. A case without one is left out.

        Raises:
            ConfigError: the configuration is wrong, or the method learns from no label.
            CohortError: X holds something else than cases, or y has another length.
            TrainingError: a case cannot be read, or training failed.
        """
        configuration = _as_configuration(self.configuration)
        built = configuration.method(self.method)
        if Given.LABEL not in built.supervision.training:
            raise ConfigError("PP-API-METHOD", f"method {self.method}", "learns from no label", "Choose another method")
        cases, labels = _labelled(X, y)
        classes = np.unique(labels) if len(labels) else np.array([], str)
        named = [replace(case, label=str(label)) for case, label in zip(cases, labels, strict=True)]
        source = X.source if isinstance(X, Cohort) else "files"
        with self._prepared(Cohort(tuple(named), _digest(X), source), configuration) as prepared:
            trained = fit_prepared(built, prepared, configuration, seed=self.seed)
        self.classes_ = classes[np.argsort([str(name) for name in classes], kind="stable")]
        self.model_ = Model(trained.fitted, {"method": self.method, **trained.context.record})
        return self

    def predict_proba(self, X: Cohort | Sequence[Case]) -> NDArray[np.float64]:
        """(n, C) class probabilities, columns in the order of `classes_`. No point, label or mask is looked at."""
        check_is_fitted(self)
        configuration = _as_configuration(self.configuration)
        if self.cache is None:  # turned views are for training alone
            configuration = replace(configuration, prepare=replace(configuration.preparing(), turns_deg=()))
        testing = configuration.method(self.method).supervision.testing
        reader = VolumeReader()
        rows = []
        with self._prepared(Cohort(tuple(_cases(X))), configuration) as prepared:
            for case in prepared.cases:
                said = self.model_.fitted.predict(case_input(case, testing, reader)).probabilities
                rows.append([said[str(name)] for name in self.classes_])
        return np.array(rows, np.float64).reshape(-1, len(self.classes_))

    def predict(self, X: Cohort | Sequence[Case]) -> NDArray:
        """(n,) the likeliest class of each case."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def score(self, X: Cohort | Sequence[Case], y: ArrayLike | None = None) -> float:  # type: ignore[override]
        """Share of the cases given their own class: `y`, or the cases' labels. Cases without one do not count."""
        check_is_fitted(self)
        cases, labels = _labelled(X, y)
        return float(np.mean(self.predict(cases) == labels))

    @contextmanager
    def _prepared(self, cohort: Cohort, configuration: Configuration) -> Iterator[PreparedCohort]:
        with TemporaryDirectory(prefix="pointpet-") as scratch:
            folder = Path(scratch if self.cache is None else self.cache)
            prepared = prepare_cohort(cohort, folder, configuration.preparing((self.method,)), workers=self.workers)
            require_prepared(prepared)
            yield prepared


def _as_configuration(given: Configuration | Mapping[str, Any] | str | Path | None) -> Configuration:
    if isinstance(given, Configuration):
        return given
    if isinstance(given, Mapping):
        return build_configuration(given)
    return load_configuration(None if given is None else Path(given))


def _cases(X: Iterable[Case]) -> list[Case]:
    cases = list(X)
    strange = next((case for case in cases if not isinstance(case, Case)), None)
    if strange is not None or not cases:
        raise CohortError(
            "PP-API-CASES",
            "X",
            f"must hold cases, got {'none' if strange is None else type(strange).__name__}",
            "Give what read_cohort returns, or a list of its cases",
        )
    return cases


def _labelled(X: Iterable[Case], y: ArrayLike | None) -> tuple[list[Case], NDArray]:
    """The cases that have a label, and (n,) labels."""
    cases = _cases(X)
    labels = [case.label for case in cases] if y is None else list(np.asarray(y).ravel())
    if len(labels) != len(cases):
        raise CohortError(
            "PP-API-LABELS", "y", f"must have one label a case ({len(cases)}), got {len(labels)}", "Give one each"
        )
    known = [(case, label) for case, label in zip(cases, labels, strict=True) if label is not None]
    return [case for case, _ in known], np.array([label for _, label in known])


def _digest(X: object) -> str:
    return X.digest if isinstance(X, Cohort) else ""
