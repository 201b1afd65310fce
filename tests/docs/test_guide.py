"""The guide is current with the code, its links lead somewhere, and its examples run."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration.md", "errors.md"])
def test_generated_pages_are_current(generate, name):
    assert (GUIDE / name).read_text("utf-8") == generate.PAGES[name](), "run python docs/generate.py"


def test_every_code_in_the_source_is_on_the_page_with_words():
    """Found here by text alone, not by the page's own generator."""
    page = (GUIDE / "errors.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(PP-[A-Z0-9-]+)` \| (.*?) \|", page, flags=re.MULTILINE))
    codes = set()
    for path in (ROOT / "src").rglob("*.py"):
        codes |= set(re.findall(r'"(PP-[A-Z0-9]+(?:-[A-Z0-9]+)+)"', path.read_text("utf-8")))
    assert len(codes) > 150
    assert codes - set(rows) == set()
    assert [code for code, says in rows.items() if not says.strip()] == []


def test_codes_that_helpers_put_together_are_on_the_page(generate):
    found = generate.all_faults()
    assert {"PP-SUV-NUMBER", "PP-COHORT-DUPLICATE", "PP-QC-DOSE"} <= set(found)
    assert sum(code.startswith("PP-NIFTI-") for code in found) >= 3
    assert sum(code.startswith("PP-DICOM-") for code in found) >= 5


def test_the_code_generator_reads_messages(generate, tmp_path):
    source = tmp_path / "module.py"
    source.write_text(
        'def _fault(code, problem):\n    return E(f"PP-X-{code}", "s", problem, "Do it")\n'
        'raise E("PP-A-B", "who", f"must be 1, got {n}", "Correct it")\n'
        'raise _fault("ONE", "is wrong")\n'
    )
    found = {fault.code: fault for fault in generate.faults_of(source) if fault.says}
    assert found["PP-A-B"].says == "must be 1, got …"
    assert found["PP-A-B"].remedy == "Correct it"
    assert found["PP-X-ONE"].says == "is wrong"


def test_every_page_is_in_the_contents():
    contents = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if f"guide/{page.name}" not in contents] == []


def test_the_site_builds_and_every_link_leads_somewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "site" / "guide" / "first-study.html").is_file()


def _blocks(page: Path) -> list[tuple[str, str]]:
    """(what, text): `run` for shell lines to run, a file's name for files to write."""
    found = re.findall(r"^```(?:sh (run)|yaml file=(\S+))\n(.*?)^```", page.read_text("utf-8"), flags=re.S | re.M)
    return [(run or name, text) for run, name, text in found]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    for what, text in _blocks(page):
        if what != "run":
            (tmp_path / what).write_text(text)
            continue
        for line in filter(None, text.splitlines()):
            program, *arguments = shlex.split(line)
            assert program == "pointpet"
            command = [sys.executable, "-m", "pointpet", *arguments]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
            assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_the_page_on_new_methods_is_a_method_that_works():
    """Its Python block is run as it stands."""
    import numpy as np

    from pointpet.core import Unit, Volume
    from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Method

    text = (GUIDE / "new-method.md").read_text("utf-8")
    space: dict = {"__name__": "example"}
    sys.modules["example"] = type(sys)("example")
    exec(re.search(r"```python\n(.*?)```", text, flags=re.S).group(1), space)  # noqa: S102 (the guide's own example)
    method = space["build"](None, None)
    assert isinstance(method, Method)
    fitted = method.fit([], FitContext(seed=0))
    assert isinstance(fitted, FittedMethod)
    voxels = np.zeros((4, 4, 4), np.float32)
    voxels[1, 1, 1] = 5
    volume = Volume(voxels, np.eye(4), Unit.SUVBW)
    assert fitted.predict(CaseInput("A", "A", load_volume=lambda: volume)).mask.voxels.sum() == 1


def test_every_command_of_the_guide_exists():
    listing = subprocess.run(
        [sys.executable, "-m", "pointpet", "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    used = set()
    for page in PAGES:
        used |= set(re.findall(r"pointpet ([a-z]+) ?", " ".join(re.findall(r"`[^`]+`", page.read_text("utf-8")))))
    assert used
    assert [name for name in used if name not in listing] == []


def test_pictures_of_the_guide_are_small_and_there():
    for page in [*PAGES, ROOT / "docs" / "index.md", ROOT / "README.md"]:
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text("utf-8")):
            path = (page.parent / link).resolve()
            assert path.is_file(), f"{page.name}: {link}"
            assert path.stat().st_size < 300_000
