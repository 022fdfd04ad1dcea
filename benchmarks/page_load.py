"""The page under load: `python -m benchmarks.page_load --like L --footage FOLDER --work FOLDER`.

L is a library that `small` made. Its moments, with noise, become those of a library of `--num-clips` clips,
as in `benchmarks.search_size`. The page is served by the command itself. `--num-people` ask at once, each one
question after the other with a pause between, first alone and then while FOLDER is added to the library: by
moments of the library and by sounds of 2 s that they send, then for the strip of the first hit. Times are
those of whole requests, over real sockets.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.search_size import CLIPS_PER_FILE, made_library
from cavmae_sync.embedding.library import open_library
from cavmae_sync.media.wav import write_wav

SOUND_SECONDS: Final = 2.0
NUM_SOUNDS: Final = 8


def main() -> None:
    """Make the library, serve it, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--like", type=Path, required=True)
    parser.add_argument("--footage", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--num-clips", type=int, default=100_000)
    parser.add_argument("--num-people", type=int, default=20)
    parser.add_argument("--num-questions", type=int, default=12)
    parser.add_argument("--pause-seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    library = made_library(
        open_library(given.like), given.work / f"page-{given.num_clips}", num_clips=given.num_clips, noise=0.5
    )
    contents = [row.content for row in library.contents()][:2000]
    sounds = [made_sound(given.work, number) for number in range(NUM_SOUNDS)]
    result: dict[str, Any] = {
        "num_clips": given.num_clips,
        "num_people": given.num_people,
        "pause_seconds": given.pause_seconds,
        "width": library.record.encoder.width,
        "num_cores": len(os.sched_getaffinity(0)),
    }
    with served(library.folder) as (port, process):
        result["megabytes_ready"] = megabytes(process.pid)
        result["first_answer"] = summary(asked(port, contents, sounds, num_questions=1, pause=0.0, seed=0))
        for name in ("alone", "while files are added"):
            if name != "alone":
                post(port, "/api/folders", {"path": str(given.footage.resolve())})
            took: dict[str, list[float]] = {}
            people = [
                threading.Thread(
                    target=lambda seed=seed, took=took: merge(
                        took,
                        asked(
                            port,
                            contents,
                            sounds,
                            num_questions=given.num_questions,
                            pause=given.pause_seconds,
                            seed=seed,
                        ),
                    )
                )
                for seed in range(given.num_people)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
            result[name] = summary(took)
            result[f"megabytes, {name}"] = megabytes(process.pid)
        began = time.monotonic()
        while json.loads(get(port, "/api/status")[1])["indexing"]["is_running"]:
            time.sleep(1)
        result["seconds_until_all_were_added"] = round(time.monotonic() - began, 1)
        result["files_added"] = (
            json.loads(get(port, "/api/status")[1])["num_files"] - given.num_clips // CLIPS_PER_FILE
        )
    print(json.dumps(result, indent=2))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


@contextlib.contextmanager
def served(library: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The command, until the block ends; its port, once it answers."""
    words = ["serve", str(library), "--model", "small", "--port", "0", "--without-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cavmae_sync", *words], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines = (re.search(r"http://127.0.0.1:(\d+)/", line) for line in process.stderr)
    found = next(line for line in lines if line is not None)
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield int(found[1]), process
    finally:
        process.terminate()
        process.wait(60)


def asked(
    port: int, contents: list[str], sounds: list[bytes], *, num_questions: int, pause: float, seed: int
) -> dict[str, list[float]]:
    """Seconds of each request of one person, by kind."""
    generator = random.Random(seed)
    took: dict[str, list[float]] = {}
    for number in range(num_questions):
        time.sleep(pause * generator.uniform(0.5, 1.5))
        began = time.perf_counter()
        if number % 2 == 0:
            kind = "moment of the library"
            moment = {"content": generator.choice(contents), "start_seconds": 5.0, "stop_seconds": 8.0}
            found = post(port, "/api/like", moment)
        else:
            kind = "sound of 2 s"
            found = send(port, "/api/search/sound", generator.choice(sounds))
        took.setdefault(kind, []).append(time.perf_counter() - began)
        began = time.perf_counter()
        answer = json.loads(found)
        get(port, f"/api/queries/{answer['query']}/strip?content={answer['hits'][0]['content']}")
        took.setdefault("strip", []).append(time.perf_counter() - began)
    return took


def merge(into: dict[str, list[float]], more: dict[str, list[float]]) -> None:
    """Add the times of a person."""
    for kind, seconds in more.items():
        into.setdefault(kind, []).extend(seconds)


def summary(took: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median and 99 % of each kind, in milliseconds."""
    return {
        kind: {
            "num": len(seconds),
            "median_ms": round(1000 * float(np.median(seconds)), 1),
            "p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 1),
        }
        for kind, seconds in took.items()
    }


def get(port: int, path: str) -> tuple[int, bytes]:
    """Answer to a request."""
    return request(port, "GET", path)


def post(port: int, path: str, body: dict[str, Any]) -> bytes:
    """Answer to a body of JSON."""
    status, answer = request(
        port, "POST", path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    assert status in (200, 202), answer
    return answer


def send(port: int, path: str, file: bytes) -> bytes:
    """Answer to a file that is sent."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head.encode() + file + f"\r\n--{boundary}--\r\n".encode()
    status, answer = request(
        port, "POST", path, body, {"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    assert status == 200, answer
    return answer


def request(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def made_sound(folder: Path, seed: int) -> bytes:
    """WAV file of a sound that rises, with noise."""
    generator = np.random.default_rng(seed)
    time_S = np.arange(round(16_000 * SOUND_SECONDS)) / 16_000
    sound_S = 0.4 * np.sin(2 * np.pi * (200 + 60 * seed + 40 * time_S) * time_S)
    path = folder / f"sound-{seed}.wav"
    write_wav(path, (sound_S + generator.normal(0, 0.05, len(sound_S))).astype(np.float32))
    return path.read_bytes()


def megabytes(pid: int) -> int:
    """Memory of a process and of those that it started, without what they share."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text("ascii")
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
            children = Path(f"/proc/{each}/task/{each}/children").read_text("ascii")
            waiting += [int(child) for child in children.split()]
    return total // 1024


if __name__ == "__main__":
    main()
