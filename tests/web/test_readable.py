"""Words on both pages can be read in light and dark, and nothing runs off the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointpet.pipeline.annotate import AnnotationSession
from pointpet.pipeline.results import ResultFolder
from pointpet.web.annotate import annotate_application
from pointpet.web.view import view_application

pytestmark = pytest.mark.browser

FAINT = """() => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = channels(colour).map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if ((channels(colour)[3] ?? 1) > 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
        const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        // Names of slices and sides lie on the pictures, which are no background of theirs.
        if (!says || element.disabled || !element.getClientRects().length || element.closest('figure')) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
    }
    return found;
}"""
"""Texts whose contrast is under 4.5, the least that WCAG 2.2 asks for (1.4.3, level AA)."""


@pytest.fixture(params=["annotate", "view"])
def opened(request: Any, serving: Callable[[Any], str], page: Any, cohort: Path, study: Path) -> Any:
    """Either page with a case on the screen."""
    if request.param == "annotate":
        application = annotate_application(AnnotationSession(cohort))
    else:
        application = view_application(ResultFolder(study, cohort))
    page.goto(serving(application))
    page.locator("#case-name", has_text="P").wait_for()
    return page


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_words_stand_out_and_the_page_fits(opened: Any, size: tuple[int, int]):
    opened.set_viewport_size({"width": size[0], "height": size[1]})
    for theme in ("light", "dark"):
        opened.emulate_media(color_scheme=theme)
        opened.reload()
        opened.locator("#case-name", has_text="P").wait_for()
        assert opened.evaluate("document.documentElement.dataset.theme") == theme
        assert opened.evaluate(FAINT) == []
        sizes = opened.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert sizes == list(size)
