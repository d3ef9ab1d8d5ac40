"""Who may ask."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from diffex.app.guard import MOST_BYTES, Guard

HOME = "http://127.0.0.1:8765"


@pytest.fixture
def client():
    return TestClient(Guard(PlainTextResponse("inside"), "right", 8765), base_url=HOME)


@pytest.fixture
def known(client):
    client.get("/?token=right")
    return client


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_sees(client):
    welcome = client.get("/?token=right")
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert "right" not in welcome.text
    assert client.get("/").text == "inside"


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", "/cells?token=right", "/news"])
def test_without_the_token_nothing_is_shown(client, path):
    answer = client.get(path)
    assert answer.status_code == 403 and "inside" not in answer.text


def test_a_wrong_cookie_is_refused(client):
    assert client.get("/", headers={"cookie": "diffex-8765=wrong"}).status_code == 403
    assert client.get("/", headers={"cookie": "diffex-1=right"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "127.0.0.1", "evil.example:8765", ""])
def test_another_host_is_refused_even_with_the_token(known, host):
    assert known.get("/?token=right", headers={"host": host}).status_code == 403
    assert known.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8765", None])
def test_another_origin_may_not_ask(known, origin):
    headers = {} if origin is None else {"origin": origin}
    assert known.post("/edit", content=b"{}", headers=headers).status_code == 403


def test_another_site_may_not_even_look(known):
    assert known.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert known.get("/", headers={"sec-fetch-site": "same-origin"}).text == "inside"


def test_bodies_are_bounded(known):
    headers = {"origin": HOME}
    assert known.post("/edit", content=b"{}", headers=headers).text == "inside"
    assert known.post("/edit", content=b"x" * 70_000, headers=headers).status_code == 413
    assert known.post("/drop", content=b"x" * 70_000, headers=headers).text == "inside"
    too_long = known.post("/drop", content=b"", headers=headers | {"content-length": str(MOST_BYTES + 1)})
    assert too_long.status_code == 413 and f"{MOST_BYTES:,}" in too_long.text
    assert known.post("/drop", content=iter([b"x"]), headers=headers).status_code == 411


def test_every_answer_binds_the_browser(known):
    for answer in (known.get("/"), known.get("/", headers={"host": "evil"})):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
