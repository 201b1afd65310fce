import pytest

from pointpet.core import Flag
from pointpet.evaluate.classification import Interval
from pointpet.report import wording


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wording.number(0.734), "0.73"),
        (wording.number(-0.5, 1), "−0.5"),
        (wording.number(-0.004), "0.00"),
        (wording.number(-0.0051), "−0.01"),
        (wording.number(None), "–"),
        (wording.signed(0.1), "+0.10"),
        (wording.signed(-0.1), "−0.10"),
        (wording.signed(-0.0), "0.00"),
        (wording.signed(0.004), "0.00"),
        (wording.signed(None), "–"),
        (wording.mean_sd(0.73, 0.09), "0.73 ± 0.09"),
        (wording.mean_sd(0.73, None), "0.73"),
        (wording.mean_sd(None, None), "–"),
        (wording.limits(0.6, 0.8), "0.60 to 0.80"),
        (wording.limits(None, 0.8), ""),
        (wording.with_interval(Interval(0.7, 0.6, 0.8)), "0.70 (0.60 to 0.80)"),
        (wording.with_interval(Interval(0.001, -0.004, 0.006)), "0.00 (0.00 to 0.01)"),
        (wording.with_interval(None), "–"),
        (wording.share(Interval(0.974, 0.93, 0.991)), "97\u00a0% (93 to 99)"),
        (wording.share(None), "–"),
        (wording.percent(None), "–"),
        (wording.p_value(0.00004), "< 0.001"),
        (wording.p_value(0.0342), "0.034"),
        (wording.p_value(None), "–"),
        (wording.duration(58.4), "58 s"),
        (wording.duration(200), "3 min 20 s"),
        (wording.duration(None), "–"),
        (wording.listing(["a"]), "a"),
        (wording.listing(["a", "b", "c"]), "a, b and c"),
        (wording.listing([]), ""),
        (wording.method_title("cam_alone"), "CAMs alone"),
        (wording.method_title("my_method"), "my_method"),
        (wording.endpoint_title("survival3y"), "3-year survival"),
        (wording.endpoint_one("survival3y"), "were alive after three years"),
        (wording.endpoint_one("grade"), "have grade = 1"),
        (wording.flag_text("some_new_flag"), "some new flag"),
    ],
)
def test_numbers_and_names_are_written_so(text, expected):
    assert text == expected


def test_every_flag_has_words():
    assert set(wording.FLAG_TEXTS) == {flag.value for flag in Flag}
