"""Who may talk to the page: this machine's own browser that holds the token, and no other site through it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 64 * 1024
"""Bytes of a request: a comment and two hundred points fit twice."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Stands in front of the application.

    A request must name this server as its Host (a foreign name that resolves to 127.0.0.1 is refused), come from this
    origin or from the address bar, be small, and bring the token: once in the address, from then on in a cookie that
    scripts cannot read.
    """

    def __init__(self, app: App, *, port: int, token: str, body_limit: int = BODY_LIMIT) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"pointpet_{port}"  # cookies of 127.0.0.1 are shared by all its ports
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            return  # no page of ours opens a web socket
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._foreign(scope, headers)
        if refusal:
            await _answer(send, 403, *refusal)
            return
        if scope["path"] == "/" and self._known(_token_of(scope)):
            cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await _send(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return
        if not self._known(self._brought(headers)):
            await _answer(send, 403, "PP-WEB-TOKEN", "Open the address that the command printed, with its token.")
            return
        body = await _read_body(headers, receive, self._body_limit)
        if body is None:
            await _answer(send, 413, "PP-WEB-SIZE", f"A request has up to {self._body_limit} bytes.")
            return
        await self._app(scope, _once(body), _with_headers(send))

    def _foreign(self, scope: Scope, headers: dict[str, str]) -> tuple[str, str] | None:
        """Why the request is not this page's own; None where it is."""
        host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site", "none")
        if host not in self._hosts:
            return "PP-WEB-HOST", "This server answers to 127.0.0.1 and its port only."
        if origin is not None and origin != f"http://{host}":
            return "PP-WEB-ORIGIN", "Another site may not use this server."
        navigates = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        if site not in ("same-origin", "none") and not navigates:
            return "PP-WEB-ORIGIN", "Another site may not use this server."
        if scope["method"] not in ("GET", "HEAD") and not headers.get("content-type", "").startswith(
            "application/json"
        ):
            return "PP-WEB-TYPE", "A change is sent as application/json."
        return None

    def _known(self, token: str) -> bool:
        return bool(token) and hmac.compare_digest(token.encode(), self._token.encode())

    def _brought(self, headers: dict[str, str]) -> str:
        """The token in the cookie, or in an Authorization header (for scripts)."""
        bearer = headers.get("authorization", "")
        if bearer.startswith("Bearer "):
            return bearer.removeprefix("Bearer ")
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""


def _token_of(scope: Scope) -> str:
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]


async def _read_body(headers: dict[str, str], receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is larger than `limit`, of which no more is read."""
    stated = headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > limit:
        return None
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            return None
    return body


def _once(body: bytes) -> Receive:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _with_headers(send: Send) -> Send:
    async def forward(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message.get("headers", [])}
            added = [(name, value) for name, value in _HEADERS if name not in known]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return forward


async def _answer(send: Send, status: int, code: str, text: str) -> None:
    body = json.dumps({"code": code, "message": text}).encode()
    await _send(send, status, body, [(b"content-type", b"application/json")])


async def _send(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
