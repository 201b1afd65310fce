"""Every numbered case has a test whose id shows its number: `pytest tests/bad_input --collect-only -q`."""

import re
import subprocess
import sys
from pathlib import Path


def test_all_78_cases_are_there():
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", str(Path(__file__).parent), "--collect-only", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
    )
    numbers = {int(number) for number in re.findall(r"\[(\d\d) ", listed.stdout)}
    assert numbers == set(range(1, 79))
