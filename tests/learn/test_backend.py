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
    assert done.stdout.startswith("PP-EXTRA-TRAIN training and the torch runtime: need torch")
    assert "need torch, missing: torch. Install them: pip install 'pointpet[train]'" in done.stdout


def test_training_without_lightning_says_what_to_install() -> None:
    program = PROGRAM.replace('"torch"', '"pytorch_lightning"').replace("TrainedNetwork", "train")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PP-EXTRA-TRAIN training: needs pytorch-lightning, missing: pytorch_lightning")
    assert "Install it: pip install 'pointpet[train]'" in done.stdout


def test_prediction_loads_no_library_of_training() -> None:
    """Nor one of evaluation: they take longer to import than a scan takes to predict."""
    program = (
        "import sys, pointpet.learn.trained, pointpet.learn.candidate_forest, pointpet.pipeline.predict\n"
        "print([m for m in ('pytorch_lightning', 'sklearn', 'pandas', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_monai_the_unet_says_what_to_install() -> None:
    program = PROGRAM.replace('"torch"', '"monai.inferers.utils"').replace(
        "from pointpet.learn import TrainedNetwork", "import pointpet.learn.trained_unet3d"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PP-EXTRA-TRAIN the U-Net: needs MONAI, missing: monai.inferers.utils")
    assert "Install it: pip install 'pointpet[train]'" in done.stdout
