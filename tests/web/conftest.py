"""A small cohort with hot spheres at known places, results over it, and a browser where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import numpy as np
import pytest

from pointpet.core import ActivationMap, Mask, Plane, Volume
from pointpet.io.nifti import write_map, write_mask, write_volume
from pointpet.project import project

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LAUNCH = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
SHAPE, SPACING = (48, 44, 60), 4.0
ORIGIN = (-94.0, -86.0, 100.0)
FIRST, SECOND = (40.0, 10.0, 240.0), (-32.0, -22.0, 172.0)
"""World places of the two hot spheres; the first is the hotter."""


def make_volume(seed: int = 0) -> Volume:
    """A body of SUV 1 with noise, a sphere of SUV 8 at `FIRST` and one of SUV 6 at `SECOND`."""
    affine = np.diag([SPACING] * 3 + [1.0])
    affine[:3, 3] = ORIGIN
    x, y, z = (ORIGIN[k] + SPACING * np.arange(SHAPE[k]) for k in range(3))
    body = (x[:, None, None] / 80) ** 2 + (y[None, :, None] / 60) ** 2 + 0 * z[None, None, :] < 1
    voxels = np.where(body, 1.0, 0.02) * np.random.default_rng(seed).uniform(0.8, 1.2, SHAPE)
    for (cx, cy, cz), suv in ((FIRST, 8.0), (SECOND, 6.0)):
        far = (x[:, None, None] - cx) ** 2 + (y[None, :, None] - cy) ** 2 + (z[None, None, :] - cz) ** 2
        voxels[far <= 11**2] = suv
    return Volume(voxels.astype(np.float32), affine)


def sphere(volume: Volume, centre: tuple[float, float, float], radius_mm: float = 11.0) -> Mask:
    """Voxels within `radius_mm` of a point."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in volume.voxels.shape], indexing="ij"), -1)
    world = volume.grid.world(index.reshape(-1, 3))
    return Mask((np.linalg.norm(world - centre, axis=1) <= radius_mm).reshape(volume.voxels.shape), volume.affine)


HEADER = "case_id,ward,pet,pet_units,label,x_mm,y_mm,z_mm,mask"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans and masks of three cases, P1 to P3."""
    folder = tmp_path_factory.mktemp("images")
    for number in (1, 2, 3):
        volume = make_volume(number)
        write_volume(folder / f"P{number}.nii.gz", volume)
        write_mask(folder / f"P{number}_mask.nii.gz", sphere(volume, FIRST))
    return folder


@pytest.fixture
def cohort(images: Path, tmp_path: Path) -> Path:
    """A manifest of three cases: P1 has a point; written as a person might, with quotes and Windows line ends."""
    relative = os.path.relpath(images, tmp_path)
    lines = [
        HEADER,
        f'P1,"A, 3",{relative}/P1.nii.gz,suv,lung,40.00,10,240,{relative}/P1_mask.nii.gz',
        f"P2,007,{relative}/P2.nii.gz,suv,,,,,{relative}/P2_mask.nii.gz",
        f"P3,,{relative}/P3.nii.gz,suv,oesophagus,,,,{relative}/P3_mask.nii.gz",
    ]
    path = tmp_path / "cohort.csv"
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return path


def _result(case_id: str, method: str, dice: float | None) -> dict[str, Any]:
    lesion = {"centroid_mm": FIRST, "peak_mm": FIRST, "mtv_ml": 5.6, "tlg_g": 44.8}
    return {
        "case_id": case_id,
        "method": method,
        "label": "lung",
        "predicted": "lung",
        "probabilities": {"lung": 0.9, "oesophagus": 0.1} if method == "proposed" else {},
        "flags": ["large_mask"] if case_id == "P2" else [],
        "measures": {} if dice is None else {"dice": dice, "hd95_mm": 4.0},
        "lesions": [{"number": 1, "suv_max": 8.0, "suv_mean": 8.0, "suv_peak": 8.0, **lesion}],
        "warnings": [],
    }


def _write_result(folder: Path, case_id: str, method: str, volume: Volume, dice: float | None) -> None:
    folder.mkdir(parents=True)
    write_mask(folder / "mask.nii.gz", sphere(volume, FIRST))
    (folder / "result.json").write_text(json.dumps(_result(case_id, method, dice)))
    (folder / "mip.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    mips = project(volume, pixel_mm=4.0)
    for plane in Plane:
        values = np.clip(mips.values(plane) / 8.0, 0, 1)
        write_map(folder / f"cam_{plane}.nii.gz", ActivationMap(values, plane, "lung", 4.0, mips.origin_mm))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder: two methods, three cases."""
    folder = tmp_path / "study"
    for method, scores in (("suv40", (0.5, 0.4, 0.3)), ("proposed", (0.9, 0.2, 0.7))):
        for number, dice in enumerate(scores, start=1):
            place = folder / "predictions" / method / f"P{number}"
            _write_result(place, f"P{number}", method, make_volume(number), dice)
    (folder / "study.json").write_text(json.dumps({"methods": [{"name": "proposed"}, {"name": "suv40"}]}))
    return folder


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    """What `predict` writes: one case, no truth."""
    folder = tmp_path / "out"
    _write_result(folder / "P1", "P1", "proposed", make_volume(1), None)
    (folder / "summary.csv").write_text("case_id\nP1\n")
    return folder


# ---------------------------------------------------------------- requests without a network


@dataclass
class Answer:
    """What an application answered."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Calls an ASGI application as a server would, with full control over every header."""

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        self._app = app
        self._headers = headers or {}

    def get(self, address: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Answer:
        query = f"?{urlencode(params)}" if params else ""
        return self.send("GET", address + query, headers=headers)

    def post(self, address: str, **more: Any) -> Answer:
        return self.send("POST", address, **more)

    def put(self, address: str, **more: Any) -> Answer:
        return self.send("PUT", address, **more)

    def send(
        self,
        method: str,
        address: str,
        *,
        json: Any = None,
        content: list[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send `json`, or the parts of `content`, in which case no length is stated."""
        path, _, query = address.partition("?")
        sent = {**self._headers}
        parts = content
        if content is None:
            parts = [b"" if json is None else dumps(json).encode()]
            sent |= {"content-type": "application/json", "content-length": str(len(parts[0]))}
        sent |= headers or {}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        # On a thread of its own: playwright keeps an event loop running on the main one.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._call(scope, list(parts or [b""]))).result()

    async def _call(self, scope: dict[str, Any], parts: list[bytes]) -> Answer:
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        return Answer(messages[0]["status"], headers, b"".join(message.get("body", b"") for message in messages[1:]))


# ---------------------------------------------------------------- programs and browsers


@dataclass
class Program:
    """A running `pointpet` that serves a page."""

    process: subprocess.Popen[str]
    url: str

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End it and give its exit status."""
        self.process.send_signal(how)
        return self.process.wait(timeout=10)


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start `pointpet ...`; what still runs at the end is killed."""
    running: list[Program] = []

    def run(*arguments: object) -> Program:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", "from pointpet.cli.main import run; run()", *map(str, arguments), "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", url), url
        running.append(Program(process, url))
        return running[-1]

    yield run
    for program in running:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.fixture
def serving() -> Iterator[Callable[[Any], str]]:
    """Serve an application on a thread of this process, which is quicker to start than a program; gives its address."""
    from pointpet.web.address import Address
    from pointpet.web.application import new_server

    running: list[tuple[Any, threading.Thread]] = []

    def serve(app: Any) -> str:
        address = Address.open()
        server = new_server(app, address)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [address.listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return address.url

    yield serve
    for server, thread in running:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of 1280 x 720 that fails the test where its scripts fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="light")
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert faults == []


@pytest.fixture
def client_of() -> type[Client]:
    """Wrap an application for requests without a network."""
    return Client


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until a condition holds."""
    return _until


def _until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait until `condition()` holds and give its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return value
