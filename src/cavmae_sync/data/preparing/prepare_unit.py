"""One unit of preparation: some files become shards, a table of clips and a table of rejected files.

A unit is done when its record `work/NNNNNN.json` exists. Until then nothing that it wrote is used, and doing
it again writes the same bytes. This is the only place where bad media is not an error.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cavmae_sync.atomic import write_text, written_whole
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.flags import is_short, is_silent, is_still
from cavmae_sync.data.storage.clip_files import StoredClip, encode_frames
from cavmae_sync.data.storage.shards import Member, ShardWriter, shard_key
from cavmae_sync.data.storage.tables import (
    SHARDS_FOLDER,
    ClipRow,
    Rejected,
    clips_table,
    count_rejected,
    passed_over_rows,
    rejected_table,
    write_table,
)
from cavmae_sync.errors import MediaError
from cavmae_sync.inputs import resize_and_crop
from cavmae_sync.media import Clip
from cavmae_sync.untrusted import parse_json
from cavmae_sync.work.source_file import SourceFile
from cavmae_sync.work.units import FilesUnit, UnitResult


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceClip:
    """Clip that was read from a source file.

    Attributes:
        id: Id, unique in the dataset.
        content_hash: SHA-256 of the source file or files.
        clip: Frames and sound.
        jpegs: The frames as JPEG, if the source has them in the size that is stored; else None.
        is_resampled: Whether the sound of an import was not at 16 kHz.
        notes: Streams of the file that were passed over, in words; the same for all its clips.
    """

    id: str
    content_hash: str
    clip: Clip
    jpegs: tuple[bytes, ...] | None = None
    is_resampled: bool = False
    notes: tuple[str, ...] = ()


#: Function that reads the clips of a file below a root folder. It belongs to a module, so that workers can
#: import it; its name is recorded in the plan.
ClipReader = Callable[[Path, SourceFile, PrepareConfig], Iterator[SourceClip]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparationUnit(FilesUnit):
    """Files that are prepared together.

    Attributes:
        labels: Labels of each file.
        config: Configuration of the preparation.
        read: Function that reads the clips of a file.
    """

    labels: tuple[tuple[str, ...], ...]
    config: PrepareConfig
    read: ClipReader

    def num_resampled(self) -> int:
        """Number of clips of an import whose sound was not at 16 kHz; for units that are done."""
        counts = self.work_file("counts.json")
        return parse_json(counts.read_bytes())["num_resampled"] if counts.is_file() else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """One finished tar file."""

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _StoredFile:
    """Clips of one source file that were added to a shard."""

    rows: list[ClipRow]
    num_resampled: int
    notes: tuple[str, ...]


def prepare_unit(unit: PreparationUnit) -> UnitResult:
    """Prepare the files of a unit and leave its record."""
    rows: list[ClipRow] = []
    rejected: list[Rejected] = []
    shards: list[Shard] = []
    num_resampled = 0
    waiting = deque(zip(unit.files, unit.labels, strict=True))
    while waiting:
        name = f"shard-{unit.index:06d}-{len(shards):02d}.tar"
        path = unit.out / SHARDS_FOLDER / name
        num_before = len(rows)
        with written_whole(path) as part, part.open("w+b") as file:
            writer = ShardWriter(file)
            while waiting and writer.num_bytes < unit.config.shard_bytes:
                found = _prepare_file(unit, *waiting.popleft(), writer=writer, shard=name)
                if isinstance(found, Rejected):
                    rejected.append(found)
                else:
                    rows += found.rows
                    rejected += passed_over_rows(found.rows[0].source, found.notes) if found.rows else ()
                    num_resampled += found.num_resampled
            sha256 = writer.finish()
        if len(rows) > num_before:
            shards.append(Shard(name=name, num_bytes=writer.num_bytes, sha256=sha256))
        else:
            path.unlink(missing_ok=True)
    write_table(clips_table(rows), unit.work_file("clips.parquet"))
    write_table(rejected_table(rejected), unit.work_file("rejected.parquet"))
    write_text(unit.work_file("counts.json"), json.dumps({"num_resampled": num_resampled}))
    write_text(unit.work_file("json"), json.dumps([asdict(shard) for shard in shards]))
    return UnitResult(num_files=len(unit.files), num_clips=len(rows), num_rejected=count_rejected(rejected))


def _prepare_file(
    unit: PreparationUnit, source: SourceFile, labels: tuple[str, ...], *, writer: ShardWriter, shard: str
) -> _StoredFile | Rejected:
    """Add all clips of a file to a shard, or none: then the reason is returned."""
    before = writer.mark()
    known = {"source": source.path, "labels": labels, "shard": shard}
    try:
        rows: list[ClipRow] = []
        num_resampled = 0
        notes: tuple[str, ...] = ()
        for clip in unit.read(unit.root, source, unit.config):
            rows.append(_write_clip(clip, writer=writer, config=unit.config, known=known))
            num_resampled += clip.is_resampled
            notes = clip.notes
        return _StoredFile(rows=rows, num_resampled=num_resampled, notes=notes)
    except MediaError as error:
        writer.rewind(before)
        message = str(error).replace(f"{unit.root}{os.sep}", "")
        return Rejected(file=source.path, reason=error.code, message=message)


def _write_clip(
    source: SourceClip, *, writer: ShardWriter, config: PrepareConfig, known: dict[str, Any]
) -> ClipRow:
    clip = source.clip
    frames_THWC = resize_and_crop(clip.frames_THWC, pixels=config.frame_pixels).numpy()
    stored = StoredClip.of(
        clip.waveform_S, frames=source.jpegs or encode_frames(frames_THWC, quality=config.jpeg_quality)
    )
    facts = known | {
        "id": source.id,
        "content_hash": source.content_hash,
        "start_seconds": clip.start_seconds,
        "stop_seconds": clip.start_seconds + clip.duration_seconds,
        "frame_seconds": tuple(clip.frame_seconds_T.tolist()),
        "sampling": config.sampling,
        "num_samples": len(clip.waveform_S),
        "num_spectrogram_frames": stored.num_spectrogram_frames,
        "is_silent": is_silent(clip.waveform_S, below_dbfs=config.silent_below_dbfs),
        "is_still": is_still(frames_THWC, below_levels=config.still_below_levels),
        "is_short": is_short(clip, clip_seconds=config.clip_seconds),
    }
    return ClipRow(**facts, **_write_members(stored, writer=writer, facts=facts))


def _write_members(stored: StoredClip, *, writer: ShardWriter, facts: dict[str, Any]) -> dict[str, Any]:
    key = shard_key(facts["id"])
    described = {name: value for name, value in facts.items() if name != "shard"}
    description = json.dumps(described, ensure_ascii=False, sort_keys=True).encode()
    frames: list[Member] = [writer.add(f"{key}.{t:02d}.jpg", jpeg) for t, jpeg in enumerate(stored.frames)]
    sound = writer.add(f"{key}.flac", stored.sound)
    log_mel = writer.add(f"{key}.mel.npy", stored.log_mel)
    about = writer.add(f"{key}.json", description)
    return {
        "frame_offsets": tuple(frame.offset for frame in frames),
        "frame_lengths": tuple(frame.length for frame in frames),
        "sound_offset": sound.offset,
        "sound_length": sound.length,
        "log_mel_offset": log_mel.offset,
        "log_mel_length": log_mel.length,
        "json_offset": about.offset,
        "json_length": about.length,
    }
