"""Who is let in. Each rule is tried alone, with everything else right."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request

from pointpet.web.guard import Guard

PORT, TOKEN = 8765, "secret-token"
BASE = f"http://127.0.0.1:{PORT}"
IN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(client_of: Any) -> Any:
    """A client of a guarded application that tells a body's size."""
    app = FastAPI()

    @app.get("/")
    def root() -> dict[str, str]:
        return {"page": "here"}

    @app.put("/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    return client_of(Guard(app, port=PORT, token=TOKEN, body_limit=1000), {"host": f"127.0.0.1:{PORT}"})


def test_the_address_gives_a_cookie_and_hides_the_token(client: Any):
    answer = client.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie == f"pointpet_{PORT}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert client.get("/", headers={"cookie": f"a=b; pointpet_{PORT}={TOKEN}"}).json() == {"page": "here"}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"cookie": f"pointpet_{PORT}=no"}])
def test_without_the_token_nothing_is_shown(client: Any, headers: dict[str, str]):
    answer = client.get("/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "PP-WEB-TOKEN")


def test_a_wrong_token_in_the_address_is_no_key(client: Any):
    assert client.get("/", params={"token": "secret-toke"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_foreign_host_is_refused_even_with_the_token(client: Any, host: str):
    answer = client.get("/", headers={**IN, "host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "PP-WEB-HOST")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"http://127.0.0.1:{PORT + 1}", f"https://127.0.0.1:{PORT}"]
)
def test_a_foreign_origin_is_refused_even_with_the_token(client: Any, origin: str):
    answer = client.put("/echo", json={}, headers={**IN, "origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "PP-WEB-ORIGIN")


def test_its_own_origin_is_let_in(client: Any):
    assert client.put("/echo", json={}, headers={**IN, "origin": BASE}).json() == {"size": 2}


@pytest.mark.parametrize(("site", "mode", "status"), [
    ("cross-site", "no-cors", 403), ("same-site", "no-cors", 403), ("cross-site", "navigate", 200),
    ("same-origin", "cors", 200), ("none", "navigate", 200),
])  # fmt: skip
def test_another_site_may_link_here_but_not_embed(client: Any, site: str, mode: str, status: int):
    headers = {**IN, "sec-fetch-site": site, "sec-fetch-mode": mode}
    assert client.get("/", headers=headers).status_code == status


def test_a_change_is_json(client: Any):
    answer = client.put("/echo", content=[b"a=1"], headers={**IN, "content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (403, "PP-WEB-TYPE")


def test_an_oversized_body_is_refused_by_its_length(client: Any):
    answer = client.put("/echo", json="x" * 999, headers=IN)
    assert (answer.status_code, answer.json()["code"]) == (413, "PP-WEB-SIZE")


def test_an_oversized_body_is_refused_where_no_length_is_stated(client: Any):
    answer = client.put("/echo", content=[b"x" * 100] * 20, headers={**IN, "content-type": "application/json"})
    assert answer.status_code == 413


def test_a_length_that_is_no_number_is_refused(client: Any):
    assert client.put("/echo", json={}, headers={**IN, "content-length": "-5"}).status_code == 413


def test_a_cookie_that_is_none_is_no_key(client: Any):
    assert client.get("/", headers={"cookie": "=;\x01=;;"}).status_code == 403


def test_every_answer_carries_the_policy(client: Any):
    for answer in (client.get("/", headers=IN), client.get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
