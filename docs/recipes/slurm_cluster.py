"""A Dask scheduler whose workers are jobs of SLURM; run it on the login node, in a terminal that stays open.

    python docs/recipes/slurm_cluster.py --jobs 8 --cores 16 --memory 64GB --activate /shared/venv/bin/activate
    pointpet prepare cohort.csv -o prepared --scheduler scheduler.json

`--print` shows the job that would be asked for, and asks for none.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster


def cluster_of(arguments: argparse.Namespace) -> SLURMCluster:
    """The scheduler, without workers yet; each job is a worker process a core, with one thread each."""
    return SLURMCluster(
        cores=arguments.cores,
        processes=arguments.cores,
        memory=arguments.memory,
        walltime=arguments.hours,
        job_name="pointpet",
        job_script_prologue=[f"source {arguments.activate}"] if arguments.activate else [],
        job_extra_directives=["--requeue"],
        python="python" if arguments.activate else sys.executable,
        local_directory="$TMPDIR",
        scheduler_options={"dashboard_address": None},
    )


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="jobs to hold: one that ends is asked for anew")
    parser.add_argument("--cores", type=int, default=16, help="cores a job")
    parser.add_argument("--memory", default="64GB", help="memory a job; a training takes the most")
    parser.add_argument("--hours", default="08:00:00", help="time of a job")
    parser.add_argument("--activate", default="", help="activate script of the environment that holds pointpet")
    parser.add_argument("--file", default="scheduler.json", help="where the scheduler's address is written")
    parser.add_argument("--print", action="store_true", help="print the job script and end")
    return parser.parse_args(words)


def main() -> None:
    """Ask for the jobs and wait for Ctrl-C."""
    arguments = parse()
    with cluster_of(arguments) as cluster:
        if arguments.print:
            print(cluster.job_script())
            return
        Path(arguments.file).write_text(json.dumps({"address": cluster.scheduler_address}))
        cluster.adapt(minimum_jobs=arguments.jobs, maximum_jobs=arguments.jobs)
        print(f"{arguments.jobs} jobs asked for; --scheduler {arguments.file} (Ctrl-C ends them)", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
