import re

import pytest

from pointpet.report.published import MEASURES, REFERENCE, published_endpoint, published_rows

# The two tables as printed, "/" for no value: Amyar et al. 2020, tables 1 and 2.
PRINTED = {
    "oesophagus": """
        U-NET	0.42±0.16	/	/	/	/
        CAMs alone	0.53±0.17	0.57±0.03	0.61±0.28	0.56±0.24	0.53±0.26
        CAMs & FCNs	0.66±0.07	0.57±0.04	0.69±0.21	0.47±0.22	0.51±0.24
        3D-RPET-Net	/	0.72±0.08	0.79±0.17	0.62±0.21	0.70±0.04
        Our	0.73±0.09	0.69±0.04	0.80±0.14	0.59±0.26	0.67±0.08""",
    "lung": """
        U-NET	0.57±0.19	/	/	/	/
        CAMs alone	0.63±0.14	0.61±0.07	0.59±0.21	0.57±0.15	0.55±0.24
        CAMs & FCNs	0.73±0.12	0.59±0.07	0.63±0.12	0.57±0.19	0.57±0.17
        3D-RPET-Net	/	0.68±0.17	0.72±0.09	0.54±0.07	0.61±0.03
        Our	0.77±0.07	0.65±0.05	0.65±0.18	0.58±0.15	0.59±0.04""",
}


@pytest.mark.parametrize("label", ["lung", "oesophagus"])
def test_the_published_tables_are_as_printed(label):
    rows = {row.title: row for row in published_rows(label).values()}
    for line in PRINTED[label].strip().splitlines():
        title, *cells = line.strip().split("\t")
        expected = [None if cell == "/" else tuple(map(float, cell.split("±"))) for cell in cells]
        assert [getattr(rows[title], measure) for measure in MEASURES] == expected
    assert len(rows) == 5


def test_the_papers_endpoints():
    # Section 4: response to treatment for oesophagus, 3-year survival for lung.
    assert [published_endpoint(name) for name in ("lung", "Oesophagus", "esophagus", "lymphoma")] == [
        "survival3y", "response", "response", None,
    ]  # fmt: skip


def test_other_spellings_and_other_classes():
    assert published_rows("Esophagus") == published_rows("oesophagus")
    assert published_rows("lymphoma") == {}
    assert re.search(r"Amyar.*2020.*98 patients", REFERENCE)
