"""The page of evidence: one file, everything inside it, nothing of strangers run."""

import base64
import hashlib
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cavmae_sync.edit import EditMoment, Evidence, ExportOptions, export, file_hash, read_source

from .conftest import NUM_FRAMES
from .made import HEIGHT, WIDTH, number_of

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'


class Elements(HTMLParser):
    """Elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def page(moments: list[EditMoment], evidence: Evidence) -> str:
    options = ExportOptions(evidence=evidence)
    return export(moments, "html", title=HOSTILE, options=options).decode()


@pytest.fixture(scope="module")
def made(files: dict[str, Path]) -> str:
    source = read_source(files["29.97df"])
    moment = EditMoment(
        source=source, start_seconds=0.35, stop_seconds=0.9, name=HOSTILE, note=HOSTILE, content="9f" * 32,
        root="shoot", place="day 1/cam.mov", offset_seconds=-0.25, sound=0.5, picture=0.25, probability=0.987,
    )  # fmt: skip
    evidence = Evidence(
        question=HOSTILE, query_file="/home/me/bark.wav", query_hash="ab" * 32,
        settings={"ordered by": "sound", "cut-off": "95.0%"}, verdict="1 moment matches.", library="/library",
        encoder="cavmae-sync, weights w", fingerprint="cd" * 32, searched="2 files, 1.00 hours",
        not_searched=(f"shoot/{HOSTILE}: damaged",), made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )  # fmt: skip
    return page([moment, replace(moment, start_seconds=0.0, name="second")], evidence)


def test_nothing_is_run_or_asked_for(made: str):
    elements = Elements(made).found
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "link", "iframe", "object", "form", "a"}
    assert all(not name.startswith("on") for _, attributes in elements for name in attributes)
    addresses = [attributes["src"] for _, attributes in elements if "src" in attributes]
    assert len(addresses) == 6
    assert all(str(address).startswith("data:image/jpeg;base64,") for address in addresses)
    assert "url(" not in made
    policy = next(a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_everything_that_a_trail_needs_is_there(made: str):
    text = re.sub(r"<[^>]+>", " ", made)
    for told in (
        "Agreement, not proof", "9f" * 32, "ab" * 32, "cd" * 32, "/home/me/bark.wav", "shoot/day 1/cam.mov",
        "0.350 s, timecode 01:01:00;02, frame 10", "0.900 s, timecode 01:01:00;19, frame 27", "-0.250 s",
        "30000/1001 frames a second, drop", "0.500", "98.70%", "95.0%", "2 files, 1.00 hours", "damaged",
        "2026-01-02 03:04:05+00:00 (UTC)", "cavmae-sync 0.1.0",
    ):  # fmt: skip
        assert told in text, told
    assert "&lt;script&gt;" in made


def test_pictures_are_the_frames_of_the_moment(made: str):
    addresses = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', made)
    frames = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in addresses]
    assert [frame.shape for frame in frames] == [(HEIGHT, WIDTH, 3)] * 6
    assert [number_of(frame) for frame in frames[:3]] == [10, 18, 26]
    assert number_of(frames[3]) == 0
    assert len(frames) // 2 < NUM_FRAMES


def test_a_waveform_has_a_text(made: str):
    assert made.count("<svg") == 2
    assert made.count('role="img"') == 2
    assert "Waveform of the sound: loudest sample" in made


def test_what_cannot_be_shown_is_said(files: dict[str, Path], tmp_path: Path):
    moved = tmp_path / "moved.mov"
    moved.write_bytes(files["25"].read_bytes())
    moment = EditMoment(source=read_source(moved), start_seconds=0.1, stop_seconds=0.5)
    moved.unlink()
    text = page([moment], Evidence())
    assert "Not shown: " in text
    assert "not known" in text  # its hash


def test_hash_of_a_file(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc" * 500_000)
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"abc" * 500_000).hexdigest()
