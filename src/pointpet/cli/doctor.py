"""`pointpet doctor`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pointpet.cli.console import Console
from pointpet.cli.options import Quiet, Verbose

NAME = "doctor"


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Versions, extras and machine: what a bug report needs. Names no path, host or user."""
    from pointpet.cli.failures import EXIT_FAILURE
    from pointpet.pipeline.doctor import examine

    console = Console(quiet=quiet, verbose=verbose)
    found = examine()
    if as_json:
        console.result(json.dumps(found, indent=2))
    else:
        for line in report_lines(found, with_packages=verbose):
            console.say(line)
        console.result("\n".join(f"problem: {text}" for text in found["problems"]) or "no problem found")
    if found["problems"]:
        raise typer.Exit(EXIT_FAILURE)


def report_lines(found: Mapping[str, Any], *, with_packages: bool) -> list[str]:
    """The report as text, one fact a line."""
    machine, memory = found["machine"], found["memory_gb"]
    lines = [
        f"pointpet {found['pointpet']}, Python {machine['python']}, {machine['platform']}",
        f"processor: {machine['cpu']}, {machine['cores']} cores",
        f"memory: {_gigabytes(memory['total'])}, limit of the container: {_gigabytes(memory['limit'])}",
        f"threads: {_threads(found['threads'])}",
        f"torch: {_torch(found['torch'])}",
    ]
    for name, extra in found["extras"].items():
        lacks = f"not complete ({', '.join(extra['missing'] + extra['unfit'])}); {extra['install']}"
        lines.append(f"extra {name}: {'complete' if extra['complete'] else lacks}")
    for name, method in found["methods"].items():
        lines.append(f"method {name} of {method['package']}: {method.get('error', 'loads')}")
    lines.append(f"models that come with it: {', '.join(found['models']) or 'none'}")
    if with_packages:
        lines += [f"{name} {number}" for name, number in found["packages"].items()]
    return lines


def _gigabytes(value: float | None) -> str:
    return "none known" if value is None else f"{value:g} GB"


def _threads(threads: Mapping[str, Any]) -> str:
    pools = [f"{pool['internal_api']} {pool['version']}: {pool['num_threads']}" for pool in threads["pools"]]
    stated = [f"{name}={value}" for name, value in threads["variables"].items() if value is not None]
    return ", ".join([*pools, *stated]) or "no pool"


def _torch(torch: Mapping[str, Any] | None) -> str:
    if torch is None:
        return "not installed"
    if "error" in torch:
        return f"cannot be imported: {torch['error']}"
    gpus = ", ".join(torch["gpus"]) or "none"
    return f"{torch['threads']} threads, GPU: {gpus}, bfloat16 {'native' if torch['bf16'] else 'not native'}"
