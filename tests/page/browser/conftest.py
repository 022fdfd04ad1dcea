"""The page in a real browser, over a library of numbered films."""

import os
import time
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cavmae_sync.media import read_audio

from ..conftest import CHROMIUM, NEEDS_BROWSER
from ..served import Served, fill, make_film, make_numbered_film, random_embedder, serving

RATES = {
    "23.976": Fraction(24_000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30_000, 1001),
    "50": Fraction(50),
}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Twelve films, so that the library is large enough to know how strangers score."""
    folder = tmp_path_factory.mktemp("page")
    for seed, (name, rate) in enumerate(RATES.items()):
        make_numbered_film(folder / "footage" / f"numbered {name}.mp4", rate=rate, seed=seed)
    for seed in range(10, 18):
        make_film(folder / "footage" / "films" / f"film {seed}.mp4", seed=seed, seconds=4)
    (folder / "footage" / "broken.mp4").write_bytes(b"no film")
    embedder = random_embedder(frame_pixels=96)
    fill(embedder, folder / "footage", folder / "library")
    with serving(folder / "footage", folder / "library", embedder, is_warm=True) as made:
        yield made


@pytest.fixture(scope="session")
def browser(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        assert not os.environ.get(NEEDS_BROWSER), "no Chromium was found: install it, or name it in CHROMIUM"
        pytest.skip("Chromium is not installed")
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    _write_pcm(heard, served.footage / "films" / "film 12.mp4")
    with sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={heard}",
            ],
        )
        yield opened
        opened.close()


def wait_until(page: Page, condition: str, *, timeout_seconds: float = 30) -> None:
    """Wait for a condition in JavaScript. Playwright's own way evaluates text, which the page forbids."""
    end = time.monotonic() + timeout_seconds
    while not page.evaluate(f"() => {condition}"):
        assert time.monotonic() < end, f"never came true: {condition}"
        page.wait_for_timeout(30)


def _write_pcm(path: Path, film: Path) -> None:
    """Sound of a film as the 16-bit file that the browser's false microphone takes."""
    sound_S = read_audio(film)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes((sound_S * 32_000).astype("<i2").tobytes())


@pytest.fixture
def page(served: Served, browser: Browser) -> Iterator[Page]:
    """The page, open. Errors of the console fail the test, except those that it expects."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(served.address)
    wait_until(opened, "document.querySelector('#status-line').textContent !== ''")
    opened.expected_errors = []  # type: ignore[attr-defined]
    yield opened
    context.close()
    expected = opened.expected_errors  # type: ignore[attr-defined]
    assert [error for error in errors if not any(each in error for each in expected)] == []
