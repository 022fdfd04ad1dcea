"""Guard of the service: who may ask, how much may be sent, and what a browser may do with an answer.

A page of another site must not read a library through its visitor's browser. The names under which the
service is asked are checked, so that a foreign name that was pointed to this machine (DNS rebinding) is
refused; so are requests that a page of another site makes. Where others than this machine can ask, they need
the token.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Names of this machine.
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
#: Most bytes of a request.
MOST_BYTES: Final = 512 << 20
_COOKIE: Final = "cavmae-sync-token"
#: Most bytes of a request that sends no file.
_MOST_JSON_BYTES: Final = 4 << 20
_FILES: Final = "/api/search/"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
)
#: A page is asked for again after an update of the package, and media that have changed.
_ASK_AGAIN: Final = (b"cache-control", b"no-cache")
_FOREIGN_PAGE: Final = (403, "A page of another site may not ask this service.")


class TooLargeError(Exception):
    """A request is larger than is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Access to the service.

    Attributes:
        names: Names under which the service may be asked.
        token: What everybody has to show; None where only this machine can ask.
    """

    names: frozenset[str] = LOOPBACK
    token: str | None = None

    def takes_name(self, name: str) -> bool:
        """Whether the service answers to a name.

        With a token, to every address too: rebinding needs a name, and other sites do not have the cookie.
        """
        return name in self.names or (self.token is not None and _is_address(name))

    def takes_token(self, shown: str) -> bool:
        """Whether a token is the right one."""
        return self.token is None or hmac.compare_digest(shown.encode(), self.token.encode())


class Guard:
    """ASGI application around another one, which refuses strangers and adds headers.

    Args:
        app: The application.
        access: Who may ask.
        most_bytes: Most bytes of a request.
    """

    def __init__(self, app: App, *, access: Access | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._app, self._access, self._most_bytes = app, access or Access(), most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # nothing here speaks over WebSockets
                await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        if self._brings_token(scope):
            await _welcome(send, self._access.token or "", _port(scope))
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is allowed, unless it turns out too large."""
        read, most = 0, self._most(scope)

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise TooLargeError
            return message

        async def marked(message: Message) -> None:
            if read > most:
                return  # whatever the application makes of it
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                is_said = any(name == b"cache-control" for name, _ in given)
                message["headers"] = [*given, *([] if is_said else [_ASK_AGAIN]), *_HEADERS]
            await send(message)

        with suppress(TooLargeError):
            await self._app(scope, counted, marked)
        if read > most:
            await _refuse(send, 413, self._too_large(scope))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = _name(f"//{headers.get('host', '')}")
        if not self._access.takes_name(host):
            return 421, f"This service does not answer to the name {host!r:.80}."
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != headers.get("host", "").lower():
            return _FOREIGN_PAGE
        # Following a link to the page itself is no request of another page: it cannot read the answer.
        is_visit = scope["method"] == "GET" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not (
            is_visit and scope["path"] == "/"
        ):
            return _FOREIGN_PAGE
        if not (self._brings_token(scope) or self._access.takes_token(_shown_token(headers, _port(scope)))):
            return 401, "This service needs its token. Open the address that `serve` printed."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most(scope):
            return 413, self._too_large(scope)
        return None

    def _brings_token(self, scope: Scope) -> bool:
        """Whether this is the address with the token, which a browser opens once."""
        if self._access.token is None or scope["path"] != "/" or scope["method"] != "GET":
            return False
        shown = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return bool(shown) and self._access.takes_token(shown)

    def _most(self, scope: Scope) -> int:
        is_file = scope["path"].startswith(_FILES)
        return self._most_bytes if is_file else min(self._most_bytes, _MOST_JSON_BYTES)

    def _too_large(self, scope: Scope) -> str:
        return f"More than {self._most(scope) >> 20} MB were sent. Send a part of the file."


def _port(scope: Scope) -> int:
    """Port that was asked: services of one machine have cookies of their own."""
    return int((scope.get("server") or ("", 0))[1] or 0)


def _shown_token(headers: dict[str, str], port: int) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(f"{_COOKIE}-{port}")
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, as a Host header names them; None for no origin of a page."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None


async def _welcome(send: Send, token: str, port: int) -> None:
    """Give the browser its cookie, and take the token out of its address."""
    cookie = f"{_COOKIE}-{port}={token}; Path=/; HttpOnly; SameSite=Lax"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, status: int, why: str) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
