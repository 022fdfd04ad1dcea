"""Frozen stages: what their plans, pixels and samples are, for ever.

`python -m tests.stage.frozen` writes it. Write it again only for a new version of the stage: results of one
version must stay comparable.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cavmae_sync.stage import GeneratedClip, ProceduralPack, StageConfig, generate_clip
from cavmae_sync.stage.identity import plans_sha256, stage_name

FILE = Path(__file__).parents[1] / "golden" / "stage2.json"
WAYS = {"frame_pixels": 96, "frames_per_second": 8}
CONFIGS = [
    *(
        {"variant": v, "split": s}
        for v in ("bind", "no_pulse", "easy")
        for s in ("train", "validation", "test")
    ),
    {"variant": "bind", "split": "test", "classes": "unknown"},
]


def fingerprint(clip: GeneratedClip) -> dict[str, list[float]]:
    """Mean colours of 4 x 4 parts of three frames, and the RMS of each half second."""
    frames = clip.frames_THWC[[0, 31, 62]].astype(float)
    cells = frames.reshape(3, 4, 24, 4, 24, 3).mean(axis=(2, 4))
    levels = np.sqrt((clip.waveform_S.reshape(20, -1).astype(float) ** 2).mean(axis=1))
    return {"cells": np.round(cells, 1).ravel().tolist(), "levels": np.round(levels, 4).tolist()}


def described(words: dict[str, Any]) -> dict[str, Any]:
    config, pack = StageConfig(**words, **WAYS), ProceduralPack()
    clips = {}
    if config.split == "test":
        clips = {str(n): fingerprint(generate_clip(n, config=config, pack=pack)) for n in (0, 999)}
    return {"config": words, "plans_sha256": plans_sha256(config, pack), "clips": clips}


def main() -> None:
    named = {
        stage_name(StageConfig(**words), pack_fingerprint=ProceduralPack().fingerprint): described(words)
        for words in CONFIGS
    }
    FILE.write_text(json.dumps(named) + "\n")


if __name__ == "__main__":
    main()
