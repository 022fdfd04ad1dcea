"""A service over a library of real files, asked through a socket."""

import http.client
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .served import Served, fill, make_film, random_embedder, serving

#: Debian's browser; others can be named.
CHROMIUM = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or ""
#: Set where tests with a browser must run and not be skipped.
NEEDS_BROWSER = "CAVMAE_SYNC_NEEDS_BROWSER"


@dataclass
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asked(Served):
    """The service, to be asked."""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def post(self, address: str, /, **body: Any) -> Answer:
        return self("POST", address, json.dumps(body), Content_Type="application/json")

    def send(self, kind: str, content: bytes, *, name: str = "query.mp4", **fields: str) -> Answer:
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = b"".join([*parts, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
        return self(
            "POST", f"/api/search/{kind}", body, Content_Type=f"multipart/form-data; boundary={boundary}"
        )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    pytest.importorskip("fastapi")
    folder = tmp_path_factory.mktemp("service")
    for seed in range(4):
        make_film(folder / "footage" / f"{seed}.mp4", seed=seed)
    embedder, library = random_embedder(), folder / "library"
    fill(embedder, folder / "footage", library)
    with serving(folder / "footage", library, embedder, most_bytes=1 << 20) as made:
        yield Asked(made.port, made.footage, made.library, made.embedder)
