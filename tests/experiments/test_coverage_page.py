"""The page on what the tests cover adds up."""

from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def page(experiment) -> ModuleType:
    return experiment("coverage_page")


def summary(statements: int, run: int, branches: int, taken: int) -> dict[str, dict[str, int]]:
    parts = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(parts, (statements, run, branches, taken), strict=True))}


FILES = {
    "src/pointpet/core/volume.py": summary(40, 30, 10, 9),
    "src/pointpet/core/seeds.py": summary(10, 10, 0, 0),
    "src/pointpet/quantify/radiomics/region.py": summary(50, 40, 8, 2),
    "src/pointpet/__init__.py": summary(5, 5, 2, 0),
}


def test_packages_are_sums_of_their_modules_and_the_whole_stands_last(page):
    rows = [page.row_of(name, counts) for name, counts in page.by_package(FILES).items()]
    assert rows == [
        ["core", "50", "80.0", "10", "90.0"],
        ["pointpet", "5", "100.0", "2", "0.0"],
        ["quantify", "50", "80.0", "8", "25.0"],
        ["all", "105", "81.0", "20", "55.0"],
    ]


def test_modules_with_few_branches_taken_are_named(page):
    assert page.weakest(FILES) == ["`quantify/radiomics/region.py` 25 %"], "two branches are too few to name a module"


def test_what_has_no_branches_lacks_none(page):
    assert page.shares(FILES["src/pointpet/core/seeds.py"]["summary"]) == (1.0, 1.0)
