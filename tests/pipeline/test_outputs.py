import pytest

from pointpet.core import OutputError
from pointpet.pipeline.outputs import claim_folder


def test_the_same_request_resumes_and_another_is_refused(tmp_path):
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
    (tmp_path / "made.txt").write_text("x")
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
    with pytest.raises(OutputError, match="holds the output of another run"):
        claim_folder(tmp_path, "study", {"seed": 2}, overwrite=False)
    assert (tmp_path / "made.txt").exists()


def test_another_state_of_the_program_is_named_and_overwritten_on_demand(tmp_path):
    one, two = ({"version": "1.0", "code": code} for code in ("aaaa", "bbbb"))
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False, made_by=one)
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False, made_by=one)
    told = (
        r"holds the output of another state of the program \(study of pointpet 1\.0, code aaaa; this is .* code bbbb\)"
    )
    with pytest.raises(OutputError, match=told):
        claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False, made_by=two)
    with pytest.raises(OutputError, match=r"holds the output of another run \(study with"):
        claim_folder(tmp_path, "model", {"seed": 1}, overwrite=False, made_by=two)
    (tmp_path / "old.txt").write_text("x")
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=True, made_by=two)
    assert not (tmp_path / "old.txt").exists()
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False, made_by=two)


def test_overwrite_empties_the_folder_of_another_run(tmp_path):
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "made.csv").write_text("x")
    claim_folder(tmp_path, "study", {"seed": 2}, overwrite=True)
    assert not (tmp_path / "tables").exists()
    claim_folder(tmp_path, "study", {"seed": 2}, overwrite=False)


def test_overwrite_begins_anew_where_the_request_is_the_same_too(tmp_path):
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
    (tmp_path / "made.csv").write_text("x")
    claim_folder(tmp_path, "prepared", {"seed": 1}, overwrite=True)
    (tmp_path / "made.csv").write_text("x")
    claim_folder(tmp_path, "prepared", {"seed": 1}, overwrite=True, keep_same=True)
    assert (tmp_path / "made.csv").exists()
    claim_folder(tmp_path, "prepared", {"seed": 1}, overwrite=True)
    assert not (tmp_path / "made.csv").exists()
    (tmp_path / "review.csv").write_text("case_id,verdict\n")
    with pytest.raises(OutputError, match=r"holds review\.csv, a reader's verdicts"):
        claim_folder(tmp_path, "prepared", {"seed": 1}, overwrite=True)


def test_files_of_unknown_origin_are_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match="holds files that no pointpet run of this kind made"):
        claim_folder(tmp_path, "study", {}, overwrite=False)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_overwrite_never_empties_a_folder_with_the_users_own_manifest(tmp_path):
    (tmp_path / "cohort.csv").write_text("case_id\n")
    with pytest.raises(OutputError, match=r"holds a cohort\.csv that pointpet did not write"):
        claim_folder(tmp_path, "study", {}, overwrite=True)
    assert (tmp_path / "cohort.csv").exists()


def test_overwrite_never_deletes_a_readers_verdicts(tmp_path):
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
    (tmp_path / "review.csv").write_text("case_id,verdict\n")
    with pytest.raises(OutputError, match=r"holds review\.csv, a reader's verdicts"):
        claim_folder(tmp_path, "study", {"seed": 2}, overwrite=True)
    assert (tmp_path / "review.csv").exists()
    claim_folder(tmp_path, "study", {"seed": 1}, overwrite=False)
