import html.parser
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

from pointpet.report import render
from pointpet.report.render import render_report
from pointpet.report.study_folder import file_stem

SECTIONS = [
    "summary",
    "cohort",
    "tables",
    "dice",
    "comparisons",
    "localisation",
    "classification",
    "failures",
    "trust",
    "cases",
    "flags",
    "training",
    "settings",
    "methods",
    "checklists",
    "limitations",
]
VOID = {"meta", "img", "br", "link", "input", "use"}


class Page(html.parser.HTMLParser):
    """Checks that tags close and collects what a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} at {self.getpos()}")


@pytest.fixture(scope="module")
def report(study_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered") / "study"
    shutil.copytree(study_template, folder)
    return render_report(folder)


@pytest.fixture(scope="module")
def text(report) -> str:
    return report.read_text("utf-8")


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing takes most of the time; not every page needs its figures to be looked at."""
    monkeypatch.setattr(render, "draw_figures", lambda study: [])


def test_the_report_lies_in_the_study_beside_its_figures(report):
    assert report.name == "report.html"
    assert {path.name for path in (report.parent / "figures").iterdir()} == {
        "dice_means.svg",
        "dice_distributions.svg",
        "risk_coverage.svg",
        "dice_differences.svg",
        "peak_distances.svg",
        "class_probabilities.svg",
    }


def test_the_page_is_sound_and_complete(text):
    page = Page(text)
    assert page.faults == []
    assert page.open == []
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert len(page.ids) == len(set(page.ids))


def test_the_page_needs_nothing_else(text):
    page = Page(text)
    outside = [link for link in page.references if not link.startswith(("#", "data:image/png;base64,"))]
    assert outside == []
    assert {link[1:] for link in page.references if link.startswith("#")} <= set(page.ids)
    urls = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert urls <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in text
    assert len(text) < 15_000_000


def test_every_section_starts_with_a_sentence_on_what_it_shows(text):
    for name in SECTIONS:
        section = text.split(f'<section id="{name}">')[1].split("</section>")[0]
        assert re.match(r'\s*<h2>[^<]+</h2>\s*<p class="lead">[A-Z][^<]{20,}\.</p>', section), name


def test_the_answer_stands_first_with_its_warnings(text):
    head = text.split("<main ")[0]
    assert "Research use only – not a medical device" in head
    assert "Phantom: simulated scans, no patients (preset default)" in head
    assert "In lung, the masks of the proposed method reach a mean Dice of 0." in head
    assert "a gain of 0." in head


def test_the_best_auc_of_the_phantom_and_the_failures_are_told(text):
    assert "response to treatment 0.81, 3-year survival 0.79" in text
    assert "PP-SUV-WEIGHT" in text
    assert "expected more than 0." in text


def test_outcomes_are_not_run_and_published_figures_are_marked(text):
    assert text.count("not run") >= 2 * 9
    assert "Outcomes were not predicted" in text
    assert "published, another cohort" in text
    assert "0.77 ± 0.07" in text
    assert "not comparable one to one" in text


def test_predicted_outcomes_fill_their_columns(study, no_figures):
    path = study / "tables" / "table_lung.csv"
    frame = pd.read_csv(path)
    frame.loc[frame["method"] == "proposed", ["accuracy_mean", "accuracy_sd"]] = 0.61, 0.04
    frame.to_csv(path, index=False)
    page = render_report(study).read_text("utf-8")
    assert "0.61 ± 0.04" in page
    assert "Outcomes were not predicted" not in page
    assert Page(page).faults == []


def test_no_patient_id_reaches_the_report(study, no_figures):
    folds = pd.read_csv(study / "folds.csv", dtype=str)
    folds["patient_id"] = "SENTINEL" + folds["patient_id"]
    folds.to_csv(study / "folds.csv", index=False)
    assert "SENTINEL" not in render_report(study).read_text("utf-8")


def test_names_cannot_break_out_of_the_page(study, no_figures):
    record = json.loads((study / "study.json").read_text())
    record["cohort"]["name"] = "<script>alert(1)</script>"
    record["failures"][0]["message"] = "<img src=x>"
    record["config"] = {"note": "</pre><b>"}
    (study / "study.json").write_text(json.dumps(record))
    page = render_report(study).read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "</pre><b>" not in page
    assert Page(page).faults == []


@pytest.mark.parametrize(
    ("distance", "beside"), [("margin", "without the distance loss"), ("none", "on the same loss")]
)
def test_what_cams_alone_lack_follows_from_the_run(study, no_figures, distance, beside):
    record = json.loads((study / "study.json").read_text())
    record["config"] = {"training": {"distance": distance, "distance_weight": 1.0}}
    (study / "study.json").write_text(json.dumps(record))
    text = render_report(study).read_text()
    assert f"“CAMs alone” is the same network {beside}." in text


def test_a_class_whose_name_is_no_file_name(study, no_figures):
    record = json.loads((study / "study.json").read_text())
    odd = "lung / <small> cell"
    record["cohort"]["by_label"] = {odd: 10, "oesophagus": 10}
    (study / "study.json").write_text(json.dumps(record))
    tables = study / "tables"
    (tables / "table_lung.csv").rename(tables / f"table_{file_stem(odd)}.csv")
    for name, column in (("segmentation", "label"), ("comparisons", "label"), ("classification", "truth")):
        frame = pd.read_csv(tables / f"{name}.csv")
        frame[column] = frame[column].replace("lung", odd)
        frame.to_csv(tables / f"{name}.csv", index=False)
    page = render_report(study).read_text("utf-8")
    assert "lung / &lt;small&gt; cell" in page
    assert Page(page).faults == []


def test_a_small_real_study_reads_well(study):
    """Real files, one method without classes, no pictures, no failures, an older record."""
    record = json.loads((study / "study.json").read_text())
    methods = [method for method in record["methods"] if method["name"] == "click41"]
    cohort = {**record["cohort"], "source": "files", "by_label": {"lung": 10}}
    for name in ("created", "finished", "machine", "inputs", "config", "failures", "pointpet_version"):
        del record[name]
    for name in ("best_auc", "preset", "digest"):
        del cohort[name]
    record |= {"methods": methods, "cohort": cohort, "lesion_free": ["control"]}
    record["methods_left_out"] = [{"method": "proposed", "reason": "needs a point"}]
    (study / "study.json").write_text(json.dumps(record))
    shutil.rmtree(study / "predictions")
    tables = study / "tables"
    frame = pd.read_csv(tables / "segmentation.csv")
    frame[(frame["method"] == "click41") & (frame["label"] == "lung")].to_csv(tables / "segmentation.csv", index=False)
    for name in ("classification", "comparisons"):
        pd.read_csv(tables / f"{name}.csv").iloc[:0].to_csv(tables / f"{name}.csv", index=False)
    page = render_report(study).read_text("utf-8")
    assert "Phantom:" not in page
    assert "The scans are simulated" not in page
    assert "No case failed or was left out." in page
    assert "proposed (needs a point)" in page
    assert "Classes without lesions: control" in page
    assert "There is no second method to compare with." in page
    assert "No method of this study names classes." in page
    assert "The study has no pictures." in page
    assert "No case was flagged." in page
    assert Page(page).faults == []


def test_rendering_again_gives_the_same_page(report, text):
    assert render_report(report.parent).read_text("utf-8") == text


def test_what_is_said_of_a_table_holds(text):
    assert "Each point is a case" not in text, "the first figure shows means"
    assert "Dice of every case, a point each." in text
    assert "compares scores of different models and so is another figure than the mean over folds" in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "is_wide"), [(1280, False), (700, True)])
def test_a_table_that_does_not_fit_says_so(report, tmp_path, width, is_wide):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={tmp_path}", f"--window-size={width},900", "--virtual-time-budget=3000"]
    done = subprocess.run([*command, "--dump-dom", f"file://{report}"], capture_output=True, text=True, timeout=120)
    assert ('class="scroll wide" tabindex="0"' in done.stdout) == is_wide


@pytest.mark.browser
def test_the_page_opens_without_an_error_and_filters(report, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={tmp_path}", "--dump-dom", "--enable-logging=stderr", f"file://{report}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Uncaught" not in done.stderr
    assert re.search(r'id="cards-shown"[^>]*>20 pictures<', done.stdout)
    assert done.stdout.count('hidden=""') == 100
