"""The table that a study prints."""

import pandas as pd

from pointpet.cli.console import Console
from pointpet.cli.study import print_tables


def test_endpoints_are_in_words_and_an_area_without_an_interval_has_no_brackets(tmp_path, capsys):
    row = {"method": "proposed", "training_input": "class label", "test_input": "none", "hit_mean": 0.9}
    row |= {"class_accuracy_mean": 1.0, "dice_mean": 0.5, "dice_sd": 0.1, "dice_lo": 0.4, "dice_hi": 0.6}
    rows = [
        row | {"endpoint": "survival3y", "auc_mean": 1.0, "auc_sd": 0.0, "auc_lo": None, "auc_hi": None},
        row | {"endpoint": "grade", "auc_mean": 0.7, "auc_sd": 0.1, "auc_lo": 0.6, "auc_hi": 0.8},
    ]
    (tmp_path / "tables").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "tables" / "table_lung.csv", index=False)
    print_tables(Console(), tmp_path)
    lines = capsys.readouterr().out.splitlines()
    first, second = (line.rstrip() for line in lines[-2:])
    assert first.endswith("3-year survival  1.00 ± 0.00")
    assert second.split()[-6:] == ["grade", "0.70", "±", "0.10", "[0.60,", "0.80]"]
