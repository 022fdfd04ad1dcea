"""Search over long videos whose truth is known: `python -m benchmarks.search_truth --stage S --work FOLDER`.

S is a folder of generated clips (`cavmae-sync stage STAGE --num-clips 1000 split=test frame_pixels=96
frames_per_second=8`). The first 600 are joined into three videos of 20, 30 and 50 minutes, which become a
library. Moments of these clips are asked for, by files that were encoded apart from the joined ones: a
picture, 2 and 10 seconds of sound, and the same of video. Clips that are not in the library ask for what is
not there. Beside the model stand the same model untrained, the library's own vectors as the question (the
oracle), and questions whose sound and picture are of different clips (swapped). With `--media` real files are
asked for by excerpts that were decoded and encoded again.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, Library, LibraryConfig, add_to_library, open_library
from cavmae_sync.media import probe, read_clip, write_video
from cavmae_sync.media.wav import write_wav
from cavmae_sync.model import CAVMAESync
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.search import (
    By,
    LibrarySearch,
    Moment,
    Query,
    SearchOptions,
    Span,
    picture_query,
    sound_query,
    video_query,
)
from cavmae_sync.training import load_run_or_weights

#: Clips of each joined video: 20, 30 and 50 minutes.
VIDEOS: Final = (120, 180, 300)
CLIP_SECONDS: Final = 10.0
FRAMES_PER_SECOND: Final = 8
#: How far the start of a hit may be from the truth.
NEAR_SECONDS: Final = 1.0
#: Real files that are longer are asked for.
LEAST_SECONDS: Final = 4.0
RANKS: Final = (1, 5, 10)
CUTOFFS: Final = (0.5, 0.8, 0.9, 0.95, 0.99)
#: Kinds of question: name, seconds, what is asked with.
KINDS: Final = (
    ("picture", 0.0, "picture"),
    ("sound of 2 s", 2.0, "sound"),
    ("sound of 10 s", 10.0, "sound"),
    ("video of 2 s", 2.0, "video"),
    ("video of 10 s", 10.0, "video"),
    ("swapped video of 2 s", 2.0, "swapped"),
)
ORDERS: Final[tuple[By, ...]] = ("sound", "picture", "both")


@dataclass(frozen=True)
class Asked:
    """A question: the clip that it is from, where in it, and where that is in the library, if it is."""

    clip: Path
    start: float
    video: str | None
    place: float


def main() -> None:
    """Make the library, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("small"))
    parser.add_argument("--num-moments", type=int, default=100)
    parser.add_argument("--media", type=Path, help="folder of real files, asked for by excerpts")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    clips = sorted((given.stage / "clips").glob("*.mp4"))
    videos = join_videos(clips, given.work / "videos")
    inside, outside = questions(clips, given.num_moments)
    trained = Embedder(load_run_or_weights(given.model, []), device="cpu")
    model = CAVMAESync(trained.model.config, generator=torch.Generator().manual_seed(0)).eval()
    untrained = Embedder(model, device="cpu")
    result: dict[str, Any] = {"num_moments": given.num_moments, "model": str(given.model)}
    for name, embedder in (("model", trained), ("untrained", untrained)):
        library = filled(embedder, videos, given.work / f"library-{name}")
        result[name] = measured(embedder, library, inside, outside, work=given.work)
    result["oracle"] = oracle(open_library(given.work / "library-model"), inside)
    print(table(result))
    if given.media is not None:
        real: dict[str, Any] = {}
        inside = excerpts(given.media, given.work / "excerpts", given.num_moments)
        for name, embedder in (("model", trained), ("untrained", untrained)):
            library = filled(embedder, given.media, given.work / f"library-real-{name}")
            real[name] = measured(embedder, library, inside, outside, work=given.work)
        result["real"] = real
        print(f"\n{given.media}\n\n{table(real)}")
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def join_videos(clips: Sequence[Path], folder: Path) -> Path:
    """Join clips to long videos, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for count in VIDEOS:
        path = folder / f"{count * CLIP_SECONDS / 60:.0f} minutes.mp4"
        if not path.exists():
            some = clips[first : first + count]
            sound = [read_clip(clip, num_frames=1).waveform_S for clip in some]
            size = round(CLIP_SECONDS * SAMPLE_RATE_HZ)
            padded = [np.pad(each[:size], (0, size - len(each[:size]))) for each in sound]
            write_video(
                path, _frames(some), frames_per_second=FRAMES_PER_SECOND, waveform_S=np.concatenate(padded)
            )
        first += count
    return folder


def _frames(clips: Sequence[Path]) -> Iterator[np.ndarray]:
    count = round(CLIP_SECONDS * FRAMES_PER_SECOND)
    for clip in clips:
        yield from read_clip(clip, num_frames=count, sampling="uniform_left").frames_THWC


def questions(clips: Sequence[Path], count: int) -> tuple[list[Asked], list[Asked]]:
    """Moments that are in the library, and as many that are not."""
    generator = np.random.default_rng(0)
    inside: list[Asked] = []
    starts = np.cumsum([0, *VIDEOS])
    for number in generator.choice(int(starts[-1]), count, replace=False):
        video = int(np.searchsorted(starts, number, side="right")) - 1
        start = float(generator.uniform(0, CLIP_SECONDS - 2.0))
        place = float(number - starts[video]) * CLIP_SECONDS
        name = f"{VIDEOS[video] * CLIP_SECONDS / 60:.0f} minutes.mp4"
        inside.append(Asked(clip=clips[number], start=start, video=name, place=place))
    strangers = clips[int(starts[-1]) :]
    outside = [
        Asked(
            clip=strangers[number],
            start=float(generator.uniform(0, CLIP_SECONDS - 2.0)),
            video=None,
            place=0.0,
        )
        for number in generator.choice(len(strangers), count, replace=False)
    ]
    return inside, outside


def excerpts(media: Path, folder: Path, count: int) -> list[Asked]:
    """Moments of real files with sound and picture, each decoded and encoded again."""
    folder.mkdir(parents=True, exist_ok=True)
    generator, found = np.random.default_rng(0), []
    long = {path: probe(path) for path in sorted(media.iterdir()) if path.is_file()}
    files = [
        (path, info.duration_seconds)
        for path, info in long.items()
        if info.video is not None and info.audio and (info.duration_seconds or 0) > LEAST_SECONDS
    ]
    for number in range(count):
        path, duration = files[int(generator.integers(0, len(files)))]
        length = min(CLIP_SECONDS, (duration or 0) - 1.0)
        place = float(generator.uniform(0, (duration or 0) - length))
        clip = read_clip(
            path,
            start_seconds=place,
            clip_seconds=length,
            num_frames=round(length * 10),
            sampling="uniform_left",
        )
        out = folder / f"{number}.mp4"
        frames = clip.frames_THWC[
            :, : clip.frames_THWC.shape[1] // 2 * 2, : clip.frames_THWC.shape[2] // 2 * 2
        ]
        write_video(out, frames, frames_per_second=10, waveform_S=clip.waveform_S)
        start = float(generator.uniform(0, length - 2.0))
        found.append(Asked(clip=out, start=start, video=path.name, place=clip.start_seconds))
    return found


def filled(embedder: Embedder, videos: Path, folder: Path) -> Library:
    """Library of the videos."""
    add_to_library(embedder, videos, out=folder, config=LibraryConfig(), options=FillOptions(num_workers=1))
    return open_library(folder)


def measured(
    embedder: Embedder, library: Library, inside: Sequence[Asked], outside: Sequence[Asked], *, work: Path
) -> dict[str, Any]:
    """Recall of moments, error of the start, and false accepts, by kind of question and order."""
    search = LibrarySearch(library)
    found: dict[str, Any] = {}
    for name, seconds, kind in KINDS:
        asked = [(each, _query(embedder, library, each, seconds, kind, work)) for each in inside]
        strangers = [_query(embedder, library, each, seconds, kind, work) for each in outside]
        if kind == "swapped":  # each with the picture of the next one
            asked = [
                (each, swapped(query, asked[(number + 1) % len(asked)][1]))
                for number, (each, query) in enumerate(asked)
            ]
        for by in ORDERS:
            answers = [
                _answer(
                    search, query, each, by, at=each.place + (0.0 if seconds == CLIP_SECONDS else each.start)
                )
                for each, query in asked
            ]
            best = [_best_probability(search, query, by) for query in strangers]
            found[f"{name}, by {by}"] = _summary(answers, best)
    return found


def _query(
    embedder: Embedder, library: Library, asked: Asked, seconds: float, kind: str, work: Path
) -> Query:
    start = 0.0 if seconds == CLIP_SECONDS else asked.start
    if kind == "picture":
        path = work / "query.png"
        clip = read_clip(
            asked.clip, start_seconds=start, clip_seconds=0.2, num_frames=1, sampling="uniform_left"
        )
        Image.fromarray(clip.frames_THWC[0]).save(path)
        return picture_query(embedder, library.config, path)
    span = Span(start_seconds=start, stop_seconds=start + seconds)
    if kind in ("video", "swapped"):
        return video_query(embedder, library.config, asked.clip, span=span)
    path = work / "query.wav"
    sound = read_clip(asked.clip, start_seconds=start, clip_seconds=seconds, num_frames=1).waveform_S
    write_wav(path, sound)
    return sound_query(embedder, library.config, path)


def swapped(sound: Query, picture: Query) -> Query:
    """The sound of one query with the picture of another, phase by phase."""
    phases = [
        replace(one, rows={**one.rows, "visual": other.rows["visual"]}, later=())
        for one, other in zip(sound.phases, picture.phases, strict=False)
        if len(one) == len(other)
    ]
    return replace(phases[0], later=tuple(phases[1:]))


@dataclass(frozen=True)
class _Answer:
    """Rank of the true moment among the hits, or None; error of its start; probability of the best hit."""

    rank: int | None
    error: float | None
    probability: float | None


def _answer(search: LibrarySearch, query: Query, asked: Asked, by: By, *, at: float) -> _Answer:
    found = search.search(query, SearchOptions(by=by, num_hits=max(RANKS)))
    for rank, hit in enumerate(found.hits, start=1):
        error = hit.offset_seconds - at
        if hit.file.path == asked.video and abs(error) <= NEAR_SECONDS:
            return _Answer(rank=rank, error=error, probability=found.hits[0].probability)
    return _Answer(rank=None, error=None, probability=found.hits[0].probability if found.hits else None)


def _best_probability(search: LibrarySearch, query: Query, by: By) -> float:
    hits = search.search(query, SearchOptions(by=by, num_hits=1)).hits
    return hits[0].probability or 0.0 if hits else 0.0


def _summary(answers: Sequence[_Answer], strangers: Sequence[float]) -> dict[str, Any]:
    errors = [abs(each.error) for each in answers if each.error is not None and each.rank == 1]
    return {
        **{
            f"recall_at_{rank}": share(
                sum(each.rank is not None and each.rank <= rank for each in answers), len(answers)
            )
            for rank in RANKS
        },
        "median_error_seconds": float(np.median(errors)) if errors else None,
        "accepted": {
            str(cutoff): share(sum((each.probability or 0) >= cutoff for each in answers), len(answers))
            for cutoff in CUTOFFS
        },
        "falsely_accepted": {
            str(cutoff): share(sum(each >= cutoff for each in strangers), len(strangers))
            for cutoff in CUTOFFS
        },
    }


def oracle(library: Library, inside: Sequence[Asked]) -> dict[str, Any]:
    """The library's own vectors as the question: the search must find them."""
    search = LibrarySearch(library)
    contents = {row.path: row.content or "" for row in library.files()}
    answers = []
    for each in inside:
        step = library.config.step_seconds
        at = (round((each.place + each.start) / step) + 0.5) * step  # on the grid of the library
        moment = Moment(
            content=contents[each.video or ""], start_seconds=at - step / 4, stop_seconds=at + 2.0
        )
        answers.append(_answer(search, search.moment(moment), each, "both", at=at))
    return {"own vectors of 2 s, by both": _summary(answers, [])}


def share(count: int, total: int) -> dict[str, float]:
    """A share with Wilson's 95 % interval."""
    if total == 0:
        return {"value": 0.0, "low": 0.0, "high": 1.0}
    z, p = 1.96, count / total
    middle, spread = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + z * z / (4 * total**2))
    scale = 1 + z * z / total
    return {"value": p, "low": (middle - spread) / scale, "high": (middle + spread) / scale}


def table(result: Mapping[str, Any]) -> str:
    """Markdown table of everything."""
    lines = [
        "| asked by | | at 1 | at 5 | at 10 | start off by | accepted at 0.95 | falsely |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for who in (name for name in ("model", "untrained", "oracle") if name in result):
        for kind, found in result[who].items():
            recalls = [_percent(found[f"recall_at_{rank}"]) for rank in RANKS]
            error = found["median_error_seconds"]
            lines.append(
                f"| {kind} | {who} | {' | '.join(recalls)} | {'·' if error is None else f'{error:.2f} s'} | "
                f"{_percent(found['accepted']['0.95'])} | {_percent(found['falsely_accepted']['0.95'])} |"
            )
    return "\n".join(lines)


def _percent(found: Mapping[str, float]) -> str:
    return f"{100 * found['value']:.0f} ({100 * found['low']:.0f} to {100 * found['high']:.0f})"


if __name__ == "__main__":
    main()
