"""Guard of the service: who may ask, how much may be sent, and what a browser may do with an answer.

A page of another site must not read a library through its visitor's browser. The names under which the
service is asked are checked, so that a foreign name that was pointed to this machine (DNS rebinding) is
refused; so are requests that a page of another site makes.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Names of this machine.
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
#: Most bytes of a request.
MOST_BYTES: Final = 512 << 20
_HEADERS: Final = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class TooLargeError(Exception):
    """A request is larger than is allowed."""


class Guard:
    """ASGI application around another one, which refuses strangers and adds headers.

    Args:
        app: The application.
        hosts: Names under which it may be asked.
        most_bytes: Most bytes of a request.
    """

    def __init__(self, app: App, *, hosts: frozenset[str] = LOOPBACK, most_bytes: int = MOST_BYTES) -> None:
        self._app, self._hosts, self._most_bytes = app, hosts, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most_bytes:
                raise TooLargeError
            return message

        async def marked(message: Message) -> None:
            if read > self._most_bytes:
                return  # whatever the application makes of it
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        with suppress(TooLargeError):
            await self._app(scope, counted, marked)
        if read > self._most_bytes:
            await _refuse(send, 413, self._too_large())

    def _refusal(self, headers: dict[str, str]) -> tuple[int, str] | None:
        host = _name(f"//{headers.get('host', '')}")
        if host not in self._hosts:
            return 421, f"This service does not answer to the name {host!r:.80}."
        origin = headers.get("origin")
        if origin is not None and _name(origin) not in self._hosts:
            return 403, "A page of another site may not ask this service."
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return 403, "A page of another site may not ask this service."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return f"More than {self._most_bytes >> 20} MB were sent. Send a part of the file."


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def _refuse(send: Send, status: int, why: str) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
