"""What both pages share: their files, their errors, and the server that runs them."""

from __future__ import annotations

import math
import signal
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from threading import Thread
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from pointpet.core import OutputError, PointpetError
from pointpet.web.address import Address
from pointpet.web.guard import Guard
from pointpet.web.packing import MEDIA_TYPE, pack, quantise

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_LONGEST_PROBLEM = 200


def read_assets() -> dict[str, tuple[bytes, str]]:
    """Every file of the pages: name to content and media type. Names are looked up here, never joined to a path."""
    folder = resources.files("pointpet.web") / "assets"
    return {
        entry.name: (entry.read_bytes(), MEDIA_TYPES[entry.name.rsplit(".", 1)[-1]])
        for entry in folder.iterdir()
        if entry.name.rsplit(".", 1)[-1] in MEDIA_TYPES
    }


def new_application(page: str) -> FastAPI:
    """An application that serves `page` at its root, and the assets.

    Errors leave as JSON (`code`, `message`): 404 for an unknown case, 409 for a change that came too late, 422 for
    what cannot be done, 500 where a file cannot be written.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    assets = read_assets()

    @app.get("/")
    def root() -> Response:
        return Response(assets[page][0], media_type=assets[page][1])

    @app.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name not in assets:
            return _error(404, "PP-WEB-UNKNOWN", "There is no such file.")
        return Response(assets[name][0], media_type=assets[name][1])

    @app.exception_handler(PointpetError)
    def known(_request: Request, error: PointpetError) -> JSONResponse:
        status = 500 if isinstance(error, OutputError) else 422
        return _error(status, error.code, str(error))

    @app.exception_handler(UnknownCaseError)
    def unknown(_request: Request, _missing: UnknownCaseError) -> JSONResponse:
        return _error(404, "PP-WEB-UNKNOWN", "There is no such case.")

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return _error(422, "PP-WEB-REQUEST", f"{place}: {first['msg']}"[:_LONGEST_PROBLEM])

    return app


class UnknownCaseError(LookupError):
    """A case id that is not in the list."""


def looked_up(table: Mapping[str, Any], name: str) -> Any:
    """`table[name]`.

    Raises:
        UnknownCaseError: it is not there.
    """
    if name not in table:
        raise UnknownCaseError
    return table[name]


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=status)


def packed(
    header: Mapping[str, Any], pictures: Mapping[str, NDArray], others: Mapping[str, NDArray] | None = None
) -> Response:
    """An answer of SUV pictures (their `steps` in the header) and arrays of other kinds."""
    levels = {name: quantise(values) for name, values in pictures.items()}
    steps = {name: step for name, (_, step) in levels.items()}
    arrays = {name: values for name, (values, _) in levels.items()} | dict(others or {})
    return Response(pack(without_nan({**header, "steps": steps}), arrays), media_type=MEDIA_TYPE)


def without_nan(value: Any) -> Any:
    """`value` as JSON holds it: undefined numbers become null, NumPy's become Python's."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def new_server(app: FastAPI, address: Address) -> uvicorn.Server:
    """A server for `app` behind its guard, not yet running."""
    config = uvicorn.Config(
        Guard(app, port=address.port, token=address.token),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
        http="h11",
        ws="none",
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, address: Address, *, browser: bool) -> None:
    """Answer at `address` until interrupted (Ctrl-C); open it in the user's browser where asked to."""
    if browser:
        # The address listens already; a browser that is slow to start must not hold up the page.
        Thread(target=webbrowser.open, args=(address.url,), daemon=True).start()
    # Ctrl-C is how the page is meant to end. The server raises the signal again once it has closed: a request to end
    # is then treated alike, so that locks are given back.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            new_server(app, address).run(sockets=[address.listener])
    finally:
        signal.signal(signal.SIGTERM, before)
