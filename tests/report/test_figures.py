import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from pointpet.report.drawing import ACCENT
from pointpet.report.figures import class_probabilities, dice_distributions, dice_means, draw_figures
from pointpet.report.study_folder import Study, read_study

NAMES = ["dice_means", "dice_distributions", "dice_differences", "peak_distances", "class_probabilities"]


@pytest.fixture(scope="module")
def found(study_template) -> Study:
    return read_study(study_template)


@pytest.fixture(scope="module")
def figures(found):
    return draw_figures(found)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 (our own figure)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parse(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_all_figures_are_drawn(figures):
    assert [figure.name for figure in figures] == NAMES


def test_files_are_complete_and_keep_text_as_text(figures):
    for figure in figures:
        assert figure.svg.startswith("<?xml")
        words = texts(figure.svg)
        assert "Proposed" in words or "over CAMs alone" in words
    assert "lung" in texts(figures[1].svg)
    assert ACCENT in figures[1].svg


def test_inline_figures_take_the_pages_colours_and_type_and_have_ids_of_their_own(figures):
    for figure in figures:
        parse(figure.inline)
        assert figure.inline.startswith("<svg")
        assert "metadata" not in figure.inline
        assert ACCENT not in figure.inline
        assert "var(--ink)" in figure.inline
        assert "DejaVu" not in figure.inline
        assert not re.search(r"<svg[^>]*\b(width|height)=", figure.inline)
        ids = re.findall(r'\bid="([^"]+)"', figure.inline)
        assert all(name.startswith(figure.name) for name in ids)
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', figure.inline)) <= set(ids)
    everything = [name for figure in figures for name in re.findall(r'\bid="([^"]+)"', figure.inline)]
    assert len(everything) == len(set(everything))


def test_figures_are_reproducible(found, figures):
    assert dice_distributions(found) == figures[1]


def test_the_forest_plot_prints_the_means_of_the_tables(found):
    svg = dice_means(found).svg
    for label in found.labels:
        for row in found.tables[label].to_dict("records"):
            assert f"{row['dice_mean']:.2f}" in texts(svg)


def test_dice_points_lie_where_the_cases_are(found):
    one = found.cases("proposed", "lung")
    first, second = (dice_distributions(replace(found, segmentation=one.assign(dice=value))) for value in (0.25, 0.75))
    assert first is not None
    assert first != second
    assert "Dice (3D)" in texts(first.svg)


def test_pictures_alone_are_called_2d(found):
    flat = replace(found, segmentation=found.segmentation.assign(mtv_ml=np.nan))
    assert "Dice (2D)" in texts(dice_distributions(flat).svg)


def test_class_names_are_no_mathematics(found):
    renamed = replace(
        found,
        record={**found.record, "cohort": {**found.record["cohort"], "by_label": {"a$b_$": 20}}},
        segmentation=found.segmentation.assign(label="a$b_$"),
    )
    assert "a$b_$" in texts(dice_distributions(renamed).svg)


def test_what_was_not_measured_is_not_drawn(found):
    bare = replace(
        found,
        segmentation=found.segmentation.assign(dice=np.nan, distance_mm=np.nan),
        comparisons=found.comparisons.iloc[:0],
        classification=found.classification.iloc[:0],
    )
    assert draw_figures(bare) == []


def test_one_class_has_no_curve_but_is_no_error(found):
    frame = found.classification.assign(truth="lung")
    assert class_probabilities(replace(found, classification=frame)) is None
    blank = found.classification.assign(probability_lung=np.nan)
    assert class_probabilities(replace(found, classification=blank)) is None
