import subprocess
import sys

PROGRAM = """
import sys
sys.modules["torch"] = None
from pointpet.core import MissingExtraError
try:
    from pointpet.learn import TrainedNetwork
except MissingExtraError as error:
    print(error.code, error)
"""


def test_the_missing_extra_is_told_with_the_command_that_installs_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PP-EXTRA-TRAIN training and the torch runtime: need torch and pytorch-lightning")
    assert "missing: torch. Install them: pip install 'pointpet[train]'" in done.stdout
