"""What a release consists of beside the code."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pointpet import __version__

ROOT = Path(__file__).parents[2]


def test_the_citation_file_follows_its_schema():
    """Required keys and values: Citation File Format 1.2.0, schema guide."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert isinstance(citation["message"], str)
    assert isinstance(citation["title"], str)
    assert citation["type"] in ("software", "dataset")
    assert citation["version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["license"] == project["license"]
    known = {
        "cff-version", "message", "title", "type", "authors", "version", "license", "abstract", "keywords",
        "references", "date-released", "doi", "identifiers", "repository-code", "url", "contact",
    }  # fmt: skip
    assert set(citation) <= known
    for work in (citation, *citation["references"]):
        assert work["authors"]
        for author in work["authors"]:
            assert set(author) <= {"name"} or {"family-names", "given-names"} <= set(author)
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_the_changelog_has_this_version():
    assert re.search(rf"^## {re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_licence_is_shipped_and_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    for name in project["license-files"]:
        assert (ROOT / name).is_file()


def test_issue_forms_are_forms():
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= set(form), path.name
        for part in form["body"]:
            assert part["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
            assert ("value" if part["type"] == "markdown" else "label") in part["attributes"]


def test_the_image_is_built_from_files_that_exist_and_runs_as_no_root():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists()
        assert name in allowed
    extras = re.search(r"\[([\w,]+)\]\"", "\n".join(lines))
    assert extras is not None
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras[1].split(",")) <= set(stated)
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000"]
    assert all(":" in line.split()[1] for line in lines if line.startswith("FROM")), "a base image without a tag"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_wheel_and_sdist_run_in_an_empty_environment():
    script = ROOT / "experiments" / "release_check.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'first lesion'") == 2
