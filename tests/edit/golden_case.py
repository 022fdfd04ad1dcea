"""The case of the golden files: hostile names, three rates, sound alone, a moment over a dropped number.

Write them anew, after a change that is meant: `python -m tests.edit.golden_case`.
"""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from cavmae_sync.edit import (
    FORMATS,
    EditMoment,
    EditSource,
    Evidence,
    ExportOptions,
    SequenceOptions,
    Timecode,
    export,
)

FOLDER = Path(__file__).parent / "golden"
NTSC = Fraction(30000, 1001)


def moments() -> list[EditMoment]:
    """Moments of files that need not be there."""
    camera = EditSource(
        path=Path("/footage/Müller & Söhne ]]> \"a\" 'b'/cam #1 100%.mov"),
        rate=NTSC,
        num_frames=5400,
        width=1920,
        height=1080,
        timecode=Timecode.parse("00:58:00;02", NTSC),
        sample_rate_hz=48_000,
        num_channels=2,
        duration_seconds=180.18,
    )
    phone = EditSource(
        path=Path("/footage/phone\n\x1b[31m|=1+1.mp4"),
        rate=Fraction(25),
        is_steady=False,
        num_frames=1500,
        width=1080,
        height=1920,
        sample_rate_hz=44_100,
        num_channels=1,
        duration_seconds=60.0,
        remarks=("Its frame rate varies; places are given by time, at 25 frames a second.",),
    )
    silent = EditSource(
        path=Path("/footage/silent.mxf"),
        rate=Fraction(24000, 1001),
        num_frames=240,
        width=1280,
        height=720,
        timecode=Timecode.parse("10:00:00:00", Fraction(24000, 1001)),
        duration_seconds=10.01,
    )
    recorder = EditSource(
        path=Path("/footage/silent.wav"),
        rate=None,
        start_samples=48_000 * 3600,
        sample_rate_hz=48_000,
        num_channels=1,
        duration_seconds=30.0,
    )
    return [
        EditMoment(source=camera, start_seconds=119.0, stop_seconds=122.5, name="over <the> dropped numbers",
                   note="1st: sound 0.97 | picture 0.31", content="9f" * 32, root="shoot", place="cam.mov",
                   offset_seconds=-0.5, sound=0.97, picture=0.31, probability=0.999),
        EditMoment(source=phone, start_seconds=1.0, stop_seconds=2.0, name="=HYPERLINK(\"x\")", note="@sum"),
        EditMoment(source=silent, start_seconds=0.0, stop_seconds=1.0, content="00" * 32),
        EditMoment(source=recorder, start_seconds=2.0, stop_seconds=4.0, name="+bark\u202e\ufffe"),
        EditMoment(source=camera, start_seconds=0.0, stop_seconds=0.001, name="one frame"),
    ]  # fmt: skip


def content(name: str) -> bytes:
    """What a format makes of them."""
    evidence = Evidence(
        question="sound of <bark>.wav",
        query_file="/home/me/<bark>.wav",
        query_hash="ab" * 32,
        settings={"ordered by": "sound", "cut-off": "95.0%"},
        verdict="3 moments match.",
        made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    options = ExportOptions(sequence=SequenceOptions(start="00:59:58:00"), evidence=evidence)
    return export(moments(), name, title="Dogs & <cats>", options=options)


def golden_file(name: str) -> Path:
    """File of a format; a page has none, as it shows pictures."""
    return FOLDER / f"{name}{FORMATS[name].suffix}"


NAMES = [name for name in FORMATS if name != "html"]

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in NAMES:
        golden_file(name).write_bytes(content(name))
