"""The recipes of docs/cluster.md: what they say is what the programs take."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"


def test_the_slurm_job_in_the_guide_is_the_one_that_is_asked_for():
    pytest.importorskip("dask_jobqueue", reason="the extra `cluster` is not installed")
    script = DOCS / "recipes" / "slurm_cluster.py"
    options = ["--cores", "16", "--memory", "64GB", "--activate", "/shared/venv/bin/activate", "--print"]
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=True)
    job = re.sub(r"tcp://\S+", "tcp://SCHEDULER", done.stdout).strip()
    assert job.startswith("#!/usr/bin/env bash\n")
    assert f"```sh\n{job}\n```" in (DOCS / "cluster.md").read_text()


def kubernetes() -> dict[str, dict]:
    documents = yaml.safe_load_all((DOCS / "recipes" / "kubernetes.yaml").read_text())
    return {f"{item['kind']} {item['metadata']['name']}": item for item in documents}


def container(item: dict) -> dict:
    (one,) = item["spec"]["template"]["spec"]["containers"]
    return one


def test_the_kubernetes_recipe_fits_together():
    items = kubernetes()
    service, scheduler = items["Service pointpet-scheduler"], items["Deployment pointpet-scheduler"]
    assert service["spec"]["selector"] == scheduler["spec"]["template"]["metadata"]["labels"]
    address = f"tcp://pointpet-scheduler:{service['spec']['ports'][0]['port']}"
    worker, job = container(items["Deployment pointpet-worker"]), container(items["Job pointpet-prepare"])
    assert address in worker["command"]
    assert address in job["command"]
    assert worker["workingDir"] == job["workingDir"]
    assert worker["volumeMounts"] == job["volumeMounts"]


def test_the_image_of_the_kubernetes_recipe_has_what_it_starts():
    dockerfile = (DOCS.parent / "Dockerfile").read_text()
    (extras,) = re.findall(r"\[([a-z,]+)\]\"", dockerfile)
    assert {"train", "dicom", "cluster"} <= set(extras.split(","))


def test_dask_knows_the_options_of_the_recipes():
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    from distributed.cli import dask_scheduler, dask_worker

    known = {
        "scheduler": {name for option in dask_scheduler.main.params for name in [*option.opts, *option.secondary_opts]},
        "worker": {name for option in dask_worker.main.params for name in [*option.opts, *option.secondary_opts]},
    }
    lines = re.findall(r"^dask (scheduler|worker) (.*?)(?:#.*)?$", (DOCS / "cluster.md").read_text(), re.M)
    commands = [(program, text.split()) for program, text in lines]
    commands += [
        (container(item)["command"][1], container(item)["command"])
        for name, item in kubernetes().items()
        if name.startswith("Deployment")
    ]
    assert len(commands) == 4
    for program, words in commands:
        assert {word for word in words if word.startswith("--")} <= known[program]


def leaves(settings: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    found = {}
    for name, value in settings.items():
        found |= leaves(value, (*path, name)) if isinstance(value, dict) else {(*path, name): value}
    return found


def test_dask_knows_the_settings_of_the_recipe():
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    import distributed

    own = leaves(yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text()))
    ours = leaves(yaml.safe_load((DOCS / "recipes" / "dask.yaml").read_text()))
    assert {path for path in ours if path not in own} == {
        ("distributed", "nanny", "pre-spawn-environ", "MALLOC_MMAP_THRESHOLD_")
    }, "a variable of the C library, which Dask passes on"
    assert {path for path in ours if own.get(path) == ours[path]} == {
        path for path in ours if path[-1].endswith("NUM_THREADS")
    }, "what says what Dask does anyway: a list that is replaced whole"
