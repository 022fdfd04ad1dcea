"""Films and a service over a library of them, for tests that ask it through a socket or a browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.page.guard import Access

CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=4)
#: Bars of a numbered film: its frames say their number in binary digits.
NUM_BITS = 8
BAR_PIXELS = 12


def random_embedder(*, frame_pixels: int = 16) -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=frame_pixels, segment_length=16, alignment="centered"),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")


def make_film(path: Path, *, seed: int, seconds: float = 3.0) -> None:
    """Tiles that change with every tenth of a second, and noise."""
    generator = np.random.default_rng(seed)
    tiles = generator.integers(0, 256, (round(10 * seconds), 4, 4, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(
        path,
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32),
    )


def make_numbered_film(path: Path, *, rate: Fraction, seed: int, seconds: float = 4.0) -> None:
    """Frames that say their number in black and white bars, over coloured tiles; noise that swells."""
    generator = np.random.default_rng(seed)
    shades = generator.integers(40, 216, (round(2 * seconds) + 1, 4, 6, 3), dtype=np.uint8)
    frames = []
    for number in range(int(seconds * rate)):
        frame_HWC = shades[int(2 * number / rate)].repeat(16, axis=0).repeat(16, axis=1)
        for bit in range(NUM_BITS):
            frame_HWC[:24, bit * BAR_PIXELS : (bit + 1) * BAR_PIXELS] = 255 * (number >> bit & 1)
        frames.append(frame_HWC)
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = generator.uniform(-0.3, 0.3, round(16_000 * seconds)) * np.linspace(
        0.3, 1, round(16_000 * seconds)
    )
    write_video(path, frames, frames_per_second=rate, waveform_S=sound.astype(np.float32))


def number_on(row_WC: NDArray[np.uint8]) -> int:
    """The number that the bars of a numbered film say, from a row of pixels through them."""
    middles = [round((bit + 0.5) * len(row_WC) / NUM_BITS) for bit in range(NUM_BITS)]
    return sum((int(row_WC[x].mean()) > 127) << bit for bit, x in enumerate(middles))


@dataclass
class Served:
    """A service that runs."""

    port: int
    footage: Path
    library: Path
    embedder: Embedder

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def fill(embedder: Embedder, footage: Path, library: Path) -> None:
    add_to_library(embedder, footage, out=library, config=CONFIG, options=FillOptions(num_workers=0))


@contextmanager
def serving(
    footage: Path,
    library: Path,
    embedder: Embedder,
    *,
    most_bytes: int = 64 << 20,
    is_warm: bool = False,
    access: Access | None = None,
) -> Iterator[Served]:
    """A service over a library, on a free port."""
    import uvicorn

    from cavmae_sync.page.app import make_app
    from cavmae_sync.page.service import SearchService

    made = SearchService(open_library(library), embedder)
    if is_warm:
        made.warm_up()
    app = make_app(made, most_bytes=most_bytes, access=access)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    listening = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(listening.getsockname()[1], footage, library, embedder)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        made.close()
