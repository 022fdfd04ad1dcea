"""A service over a library of real files, asked through a socket."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig

CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=4)


def make_film(path: Path, *, seed: int, seconds: float = 3.0) -> None:
    generator = np.random.default_rng(seed)
    tiles = generator.integers(0, 256, (round(10 * seconds), 4, 4, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(
        path,
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32),
    )


@dataclass
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Asked:
    """The service, to be asked."""

    port: int
    footage: Path
    library: Path
    embedder: Embedder

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return found

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
    uvicorn = pytest.importorskip("uvicorn")
    from cavmae_sync.page.app import make_app
    from cavmae_sync.page.service import SearchService

    folder = tmp_path_factory.mktemp("service")
    for seed in range(4):
        make_film(folder / "footage" / f"{seed}.mp4", seed=seed)
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16, alignment="centered"),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    embedder = Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")
    library = folder / "library"
    add_to_library(
        embedder, folder / "footage", out=library, config=CONFIG, options=FillOptions(num_workers=0)
    )
    app = make_app(SearchService(open_library(library), embedder), most_bytes=1 << 20)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    listening = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Asked(listening.getsockname()[1], folder / "footage", library, embedder)
    server.should_exit = True
    thread.join(20)
    listening.close()
