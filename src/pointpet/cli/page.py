"""What the two commands that serve a page share."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from pointpet.cli.console import Console
from pointpet.web.address import Address

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address only.")]


def announce(console: Console, port: int) -> Address:
    """Listen and print the address at once, before anything is loaded or read.

    Raises:
        OutputError: the port is taken.
    """
    try:
        address = Address.open(port)
    except OSError:
        from pointpet.core import OutputError

        raise OutputError(
            "PP-WEB-PORT", f"--port {port}", "cannot be listened on, another program may hold it", "Choose another"
        ) from None
    console.result(address.url)
    console.say("Ctrl-C ends it. Everything is saved as you go.")
    return address


def require_web() -> None:
    """Stop where the packages of the pages are not installed.

    Raises:
        MissingExtraError: they are not.
    """
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        from pointpet.core import MissingExtraError

        raise MissingExtraError("PP-EXTRA-WEB", "the pages", "need the extra `web`", "Run: pip install 'pointpet[web]'")
