"""Who may ask: only this machine's own page, with the token; others are refused before anything is read."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, final
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 32 * 1024 * 1024
"""Of a dropped image."""
_MOST_OTHER_BYTES = 64 * 1024
_READING = {"GET", "HEAD"}
_ONWARD = (
    b'<!doctype html><title>diffex</title><meta http-equiv="refresh" content="0;url=/"><a href="/">diffex</a>'
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)


@final
class Guard:
    """Check host, origin, token and size of every request, and add the headers that bind the browser.

    Parameters
    ----------
    app : callable
        The ASGI application behind it.
    token : str
        Random; given in the address once, then kept in a cookie.
    port : int
        The only port that is answered for.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"diffex-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        bound = _bound(send)
        refusal = self._host_refusal(scope, headers)
        if refusal is None and self._brings(scope):
            await self._welcome(bound)
            return
        refusal = refusal or _site_refusal(headers) or _size_refusal(scope, headers)
        if refusal is not None:
            await _refuse(bound, *refusal)
        elif self._holds(headers):
            await self._app(scope, receive, bound)
        else:
            await _refuse(bound, 403, "Open the address that diffex app printed; it holds the token.")

    def _host_refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return 403, "This host is not answered for."
        if (origin is not None or scope["method"] not in _READING) and origin != f"http://{host}":
            return 403, "This page may not ask here."
        return None

    def _holds(self, headers: dict[str, str]) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self._is_token(morsel.value)

    def _brings(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return scope["method"] == "GET" and scope["path"] == "/" and self._is_token(given[0])

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    async def _welcome(self, send: Send) -> None:
        """Keep the token in a cookie and go on to an address without it, for history and screenshots.

        The page goes on by itself: after a redirect from another site's link a strict cookie is not sent.
        """
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        kind = b"text/html; charset=utf-8"
        headers = [(b"content-type", kind), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _ONWARD})


def _site_refusal(headers: dict[str, str]) -> tuple[int, str] | None:
    if headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return None
    return 403, "Another site may not ask here."


def _size_refusal(scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
    if scope["method"] in _READING:
        return None
    length = headers.get("content-length", "")
    if not length.isdigit():
        return 411, "The request does not say how long it is."
    most = MOST_BYTES if scope["path"] == "/drop" else _MOST_OTHER_BYTES
    if int(length) > most:
        return (
            413,
            f"The file has {int(length):,} bytes, at most {most:,} are taken: crop or scale the image.",
        )
    return None


def _bound(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in _HEADERS]
            message["headers"] = [*message.get("headers", []), *own]
        await send(message)

    return with_headers


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
