"""The report says who came in, who was left out and why, and how the scans were acquired."""

import json

from pointpet.report.cohort_flow import cohort_flow
from pointpet.report.render import render_report


def record(study_template) -> dict:
    return json.loads((study_template / "study.json").read_text())


def test_steps_add_up(study_template):
    flow = cohort_flow(record(study_template))
    assert flow is not None
    into, out, rest = (int(step[1]) for step in flow["steps"])
    assert into == out + rest
    assert flow["steps"][1][2] == "PP-SUV-WEIGHT 1"
    assert flow["excluded"][0][0] == "P900"


def test_measures_with_their_usual_range_and_what_lies_outside(study_template):
    flow = cohort_flow(record(study_template))
    assert flow is not None
    rows = {row[0]: row[1:] for row in flow["measures"]}
    count = flow["scans"]
    assert rows["Uptake time, min"] == (f"{count} of {count}", "62", "54", "81", "55 to 75", "3")
    assert rows["Liver SUVmean, g/mL"] == (f"{count - 2} of {count}", "2.2", "1.9", "2.6", "1.3 to 3", "0")
    assert rows["Blood glucose, mmol/L"] == (f"0 of {count}", "n/a", "n/a", "n/a", "2 to 11", "n/a")


def test_stands_in_the_report(study):
    page = render_report(study).read_text()
    assert "Flow of cases" in page
    assert "How the scans were acquired" in page
    assert "Maker Model &lt;5&gt;" in page
    assert "Boellaard" in page


def test_a_record_of_an_older_version_has_none(study):
    path = study / "study.json"
    old = json.loads(path.read_text())
    del old["flow"]
    path.write_text(json.dumps(old))
    assert cohort_flow(old) is None
    assert "Flow of cases" not in render_report(study).read_text()


def test_ready_made_pictures_alone_have_no_acquisition(study_template):
    content = record(study_template)
    summary = content["flow"]["acquisition"]
    summary |= {"scans": 0, "sites": {}, "scanners": {}, "voxels": {}}
    flow = cohort_flow(content)
    assert flow is not None
    assert (flow["measures"], flow["kinds"]) == ([], [])
