from pathlib import Path

import pytest

import pointpet
from pointpet import __version__
from pointpet.pipeline.program import PACKAGE, SHOWING, added_by, answering_code, program


@pytest.fixture
def package(tmp_path):
    """A package of one file a part, and its hash anew."""

    def hashed(**changed: str) -> str:
        parts = {"core": "A = 1\n", "learn": "B = 2\n", "report": "C = 3\n"} | changed
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for part, text in parts.items():
            (folder / part).mkdir(parents=True)
            (folder / part / "module.py").write_text(text, newline="")
        return answering_code(folder)

    return hashed


def test_code_that_answers_come_from_is_told_apart_by_a_letter(package):
    assert package() == package()
    assert package(learn="B = 3\n") != package()
    assert package(core="A = 1\nB = 2\n", learn="") != package(), "moved from one file to another"


def test_what_only_shows_answers_and_how_lines_end_make_no_difference(package):
    assert package(report="C = 4\n") == package()
    assert package(learn="B = 2\r\n") == package()


def test_the_parts_left_out_exist_and_nothing_answers_by_them():
    """Imports hold it: no part that answers imports one of these."""
    assert {part for part in SHOWING if not (PACKAGE / part).is_dir()} == set()
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0]
        if (PACKAGE / part).is_dir() and part not in SHOWING | {"pipeline"}:
            text = path.read_text("utf-8")
            assert not any(f"from pointpet.{left_out}" in text for left_out in SHOWING), path


def test_what_runs_says_its_version_and_code():
    assert Path(pointpet.__file__).parent == PACKAGE
    assert program() == {"version": __version__, "code": answering_code(PACKAGE)}


def test_a_method_of_another_package_is_known_by_that_packages_version(tmp_path, monkeypatch):
    metadata = tmp_path / "atlas-2.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: atlas\nVersion: 2.1\n")
    (metadata / "entry_points.txt").write_text("[pointpet.methods]\natlas = atlas:build\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert added_by(["proposed", "atlas"]) == {"atlas": "atlas 2.1"}
    assert added_by(["proposed"]) == {}
