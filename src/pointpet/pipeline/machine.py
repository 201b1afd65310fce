"""What a run says of the machine it ran on: enough to judge its times, nothing that names it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe_machine() -> dict[str, str | int]:
    """CPU model, usable cores, Python, operating system and the libraries that decide numbers and times."""
    facts: dict[str, str | int] = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for package in ("numpy", "torch", "SimpleITK", "pydicom"):
        try:
            facts[package.lower()] = version(package)
        except PackageNotFoundError:
            facts[package.lower()] = "not installed"
    return facts


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
