"""Result pages name the commit that was measured."""

import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(scope="module")
def provenance(experiment) -> ModuleType:
    return experiment("provenance")


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_commit_is_named_with_changes_and_without(provenance, tmp_path):
    package, page = tmp_path / "src" / "package", tmp_path / "docs" / "page.md"
    for path in (package / "__init__.py", page):
        path.parent.mkdir(parents=True)
        path.write_text("")
    assert provenance.commit_of(package) == "no repository"
    git(tmp_path, "init", "-q")
    assert provenance.commit_of(package) == "no repository", "nothing is committed"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = f"commit {git(tmp_path, 'rev-parse', '--short', 'HEAD')}"
    assert provenance.commit_of(package) == commit
    page.write_text("a result of the run before")
    (tmp_path / "notes.txt").write_text("")
    assert provenance.commit_of(package) == commit
    (package / "__init__.py").write_text("changed = True")
    assert provenance.commit_of(package) == f"{commit}, with changes"


def test_an_installed_package_in_a_repository_has_none_of_its_own(provenance, tmp_path):
    git(tmp_path, "init", "-q")
    package = tmp_path / ".venv" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    assert provenance.commit_of(package) == "no repository"


def test_a_page_has_heading_table_and_machine(provenance, experiment, tmp_path, capsys):
    experiment("pages").publish(f"# T\n\nMachine: {provenance.machine()}.", ("a", "b"), [(1, "x")], tmp_path / "t.md")
    table = "| a | b |\n| --- | --- |\n| 1 | x |\n"
    assert capsys.readouterr().out == table
    text = (tmp_path / "t.md").read_text()
    assert text.endswith(f" ({provenance.commit_of(Path(provenance.pointpet.__file__).parent)}).\n\n{table}")
