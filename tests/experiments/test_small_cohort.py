"""One corrupt case in a thousand."""

from pathlib import Path

import pytest

from pointpet.pipeline.config import PrepareSettings
from pointpet.pipeline.prepare import prepare_cohort

CASES = 1000
BROKEN = "S000500"


@pytest.mark.slow
def test_one_corrupt_case_in_a_thousand_leaves_the_others_as_they_are(experiment, tmp_path: Path) -> None:
    manifest = experiment("small_cohort").write_small_cohort(tmp_path / "c", CASES, distinct=20)
    settings = PrepareSettings(pixel_mm=4.0, turns_deg=())
    assert prepare_cohort(manifest, tmp_path / "clean", settings, workers=2).failures == ()
    image = tmp_path / "c" / "images" / f"{BROKEN}.nii.gz"
    content = image.read_bytes()
    image.unlink()  # it is one file with those of other cases
    image.write_bytes(content[: len(content) // 2])
    ((case_id, error),) = prepare_cohort(manifest, tmp_path / "one", settings, workers=2).failures
    assert case_id == BROKEN
    assert f"case {BROKEN}" in str(error)
    clean, one = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "cases").glob("*.npz")}
        for name in ("clean", "one")
    )
    assert len({name.partition(".")[0] for name in one}) == CASES - 1
    assert one == {name: content for name, content in clean.items() if not name.startswith(BROKEN)}
