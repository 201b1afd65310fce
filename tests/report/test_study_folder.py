import json

import pandas as pd
import pytest

from pointpet.core import OutputError
from pointpet.report.study_folder import file_stem, numbers, read_study, value_or_none


def test_a_study_is_read_back(study_template):
    study = read_study(study_template)
    assert study.labels == ("lung", "oesophagus")
    assert study.methods == ("proposed", "cam_alone", "suv25", "suv40", "fixed41", "click41")
    assert len(study.answers) == 6 * 20
    assert len(study.cases("proposed")) == 20
    assert len(study.cases("proposed", "lung")) == 10
    assert len(study.named("suv25")) == 0
    assert set(study.compared("dice")["method_b"]) == {"cam_alone", "suv25", "suv40", "fixed41", "click41"}
    assert study.answers[0].picture is not None


def test_the_proposed_method_comes_first_and_methods_without_results_are_left_out(study):
    record = json.loads((study / "study.json").read_text())
    record["methods"] = [*reversed(record["methods"]), {**record["methods"][0], "name": "unet"}]
    (study / "study.json").write_text(json.dumps(record))
    assert read_study(study).methods == ("proposed", "click41", "fixed41", "suv40", "suv25", "cam_alone")


def test_names_that_look_like_numbers_or_blanks_stay_text(study):
    path = study / "tables" / "segmentation.csv"
    frame = pd.read_csv(path)
    frame["case_id"] = [f"{index:04d}" for index in range(len(frame))]
    frame.loc[0, "case_id"] = "NA"
    frame.to_csv(path, index=False)
    assert list(read_study(study).segmentation["case_id"][:2]) == ["NA", "0001"]


def test_a_picture_may_be_missing(study):
    (study / "predictions" / "proposed" / "P000" / "mip.png").unlink()
    answer = next(a for a in read_study(study).answers if (a.method, a.case_id) == ("proposed", "P000"))
    assert answer.picture is None


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"study\.json: is not in this folder\. Give the folder of a study"):
        read_study(tmp_path)


def test_a_broken_record_is_refused(study):
    (study / "study.json").write_text("{")
    with pytest.raises(OutputError, match=r"study\.json: must be JSON, got: Expecting"):
        read_study(study)
    (study / "study.json").write_text('{"methods": [], "seed": 0}')
    with pytest.raises(OutputError, match=r"study\.json: lacks cohort, folds"):
        read_study(study)


def test_a_missing_table_is_named(study):
    (study / "tables" / "comparisons.csv").unlink()
    with pytest.raises(OutputError, match=r"comparisons\.csv: is not in this study\. Run the study to its end"):
        read_study(study)


def test_a_missing_column_is_named(study):
    path = study / "tables" / "segmentation.csv"
    pd.read_csv(path).drop(columns=["hit", "fp_ml"]).to_csv(path, index=False)
    with pytest.raises(OutputError, match=r"segmentation\.csv: needs the columns .*, lacks hit, fp_ml"):
        read_study(study)


def test_small_conversions():
    assert file_stem("non-small cell/lung") == "non-small_cell_lung"
    assert value_or_none(float("nan")) is None
    assert value_or_none(None) is None
    assert value_or_none("0.5") == 0.5
    assert list(numbers(pd.DataFrame({"a": [1.0, None, 3.0]}), "a")) == [1.0, 3.0]
