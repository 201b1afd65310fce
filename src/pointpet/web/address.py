"""The page's address, known before anything heavy is loaded. Imports the standard library only."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"
"""Never another interface: the images are patients'."""

_BACKLOG = 64


@dataclass(frozen=True)
class Address:
    """A listening socket and the token that its visitors must bring.

    A browser that comes before the page is ready waits in the socket's queue.
    """

    listener: socket.socket
    token: str

    @classmethod
    def open(cls, port: int = 0) -> Address:
        """Listen on `port`, any free one where 0.

        Raises:
            OSError: the port is taken, or not ours to use.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # A port that a killed page left a moment ago may be taken again; one in use may not.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        return cls(listener, secrets.token_urlsafe(24))

    @property
    def port(self) -> int:
        """The port listened on."""
        return self.listener.getsockname()[1]

    @property
    def url(self) -> str:
        """What a browser opens."""
        return f"http://{HOST}:{self.port}/?token={self.token}"
