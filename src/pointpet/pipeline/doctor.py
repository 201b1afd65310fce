"""What a bug report needs to know of an installation: versions, extras, machine. No path, host or user name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from pointpet._version import __version__
from pointpet.core import PointpetError
from pointpet.methods.registry import ENTRY_POINT_GROUP
from pointpet.pipeline.machine import describe_machine
from pointpet.pipeline.shipped import shipped_models

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BASE = ""
"""Stands for the packages that every installation has, where extras go by their names."""


def examine() -> dict[str, Any]:
    """Facts as plain values.

    Returns:
        `pointpet`, `machine`, `memory_gb` (`total`, `limit`; null where not known), `threads` (variables and BLAS
        pools), `torch` (null where it is not installed), `packages` (name to version), `extras` (see `extra_status`),
        `methods` (plug-ins: name to package, or to what keeps it from loading), `models` (shipped) and `problems`, a
        list of what is wrong and can be mended.
    """
    requirements = [Requirement(text) for text in requires("pointpet") or ()]
    extras = extra_status(requirements, installed_version)
    torch, faults = _torch_facts(), []
    if torch and "error" in torch:
        faults.append(f"torch is installed and cannot be imported: {torch['error']}")
    plug_ins = _plug_ins()
    faults += [f"method {name}: {found['error']}" for name, found in plug_ins.items() if "error" in found]
    faults += [f"{name} is missing: {extras[BASE]['install']}" for name in extras[BASE]["missing"]]
    faults += [text for status in extras.values() for text in status["unfit"]]
    return {
        "pointpet": __version__,
        "machine": {name: value for name, value in describe_machine().items() if name not in _PACKAGE_FACTS},
        "memory_gb": _memory_gb(),
        "threads": {"variables": {name: os.environ.get(name) for name in THREAD_VARIABLES}, "pools": _blas_pools()},
        "torch": torch,
        "packages": _versions(requirements),
        "extras": {name: status for name, status in extras.items() if name != BASE},
        "methods": plug_ins,
        "models": list(shipped_models()),
        "problems": list(dict.fromkeys(faults)),
    }


_PACKAGE_FACTS = ("numpy", "torch", "simpleitk", "pydicom")


def installed_version(name: str) -> str | None:
    """Version of an installed distribution; None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def extra_status(
    requirements: Sequence[Requirement], installed: Callable[[str], str | None]
) -> dict[str, dict[str, Any]]:
    """What each extra lacks.

    Args:
        requirements: of pointpet, with their markers.
        installed: version by name, None where there is none.

    Returns:
        Extra ("" for what every installation needs) to `complete`, `missing` (names), `unfit` (texts: an installed
        version that is out of range) and `install` (the command that completes it).
    """
    extras = sorted({name for requirement in requirements for name in _extras_of(requirement)})
    return {extra: _status(extra, requirements, installed) for extra in (BASE, *extras)}


def _extras_of(requirement: Requirement) -> list[str]:
    """The extras that a requirement's marker names: `extra == 'web'`."""
    if requirement.marker is None:
        return []
    words = str(requirement.marker).replace("'", '"').split('extra == "')[1:]
    return [word.partition('"')[0] for word in words]


def _status(extra: str, requirements: Sequence[Requirement], installed: Callable[[str], str | None]) -> dict[str, Any]:
    missing, unfit = [], []
    for requirement in requirements:
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if not needed or bool(_extras_of(requirement)) != bool(extra):
            continue
        found = installed(requirement.name)
        if found is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(found, prereleases=True):
            unfit.append(f"{requirement.name} {found} is installed, {requirement.specifier} is needed")
    what = f"pointpet[{extra}]" if extra else "pointpet"
    command = f"pip install '{what}'"
    return {"complete": not missing and not unfit, "missing": missing, "unfit": unfit, "install": command}


def _versions(requirements: Sequence[Requirement]) -> dict[str, str]:
    names = sorted({requirement.name for requirement in requirements}, key=str.lower)
    return {name: found for name in names if (found := installed_version(name)) is not None}


def _torch_facts() -> dict[str, Any] | None:
    if installed_version("torch") is None:
        return None
    try:
        from pointpet.learn.backend import torch
        from pointpet.learn.reproducibility import computes_in_bf16

        gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    except (PointpetError, OSError, RuntimeError) as error:
        return {"error": " ".join(str(error).split())}
    return {"threads": torch.get_num_threads(), "gpus": gpus, "bf16": computes_in_bf16("auto")}


def _blas_pools() -> list[dict[str, Any]]:
    """The numerical libraries' thread pools, without the paths they were loaded from."""
    import numpy.linalg  # noqa: F401 - loads the library that is asked about
    from threadpoolctl import threadpool_info

    names = ("user_api", "internal_api", "version", "num_threads")
    return [{name: pool.get(name) for name in names} for pool in threadpool_info()]


def _plug_ins() -> dict[str, dict[str, str]]:
    found = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
        try:
            point.load()
            found[point.name] = {"package": package}
        except Exception as error:  # noqa: BLE001 - another's package may fail in any way
            found[point.name] = {"package": package, "error": f"cannot be loaded ({type(error).__name__})"}
    return found


def _memory_gb() -> Mapping[str, float | None]:
    """Memory of the machine, and the limit of the container where one is set."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        total = None
    limit = None
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(name).read_text().strip() if Path(name).is_file() else ""
        if text.isdigit() and (total is None or int(text) / 2**30 < total):
            limit = int(text) / 2**30
    return {"total": _rounded(total), "limit": _rounded(limit)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
