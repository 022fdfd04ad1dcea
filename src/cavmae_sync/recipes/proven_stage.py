"""Proof of a stage that was just made: its clips are prepared, and every rule is tried on them."""

import shutil
from pathlib import Path
from typing import Final

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.paper import PATCH_SIZE
from cavmae_sync.recipes.reporter import OnNamedProgress
from cavmae_sync.stage import StageConfig, StageTruth
from cavmae_sync.tasks.retrieval.stage_proof import MIN_CLIPS, StageProof, prove_stage

PROOF_FILE: Final = "proof.json"
#: Most clips that are measured, the first ones.
MAX_CLIPS: Final = 1000
#: Side of the frames that rules look at; larger ones are slower and show rules nothing more.
_MAX_PIXELS: Final = 96


def prove_made_stage(
    folder: Path, *, config: StageConfig, num_workers: int | None = None, on_progress: OnNamedProgress
) -> StageProof | None:
    """Try every rule that learns nothing on the clips of a stage, and write `proof.json` into its folder.

    Args:
        folder: The stage.
        config: What it was made by.
        num_workers: Processes that prepare clips; None for one per core.
        on_progress: Called with what is done, how much of it and how much in all.

    Returns:
        The proof, or None for fewer than 100 clips: they can prove nothing.

    Raises:
        DatasetError: Another process is proving the stage.
    """
    truth = StageTruth(folder)
    names = sorted(truth)[:MAX_CLIPS]
    if len(names) < MIN_CLIPS:
        return None
    with locked(folder / "proof.lock", busy=f"Another process is proving {folder}. Wait until it ends."):
        return _prove(folder, truth, names, config=config, num_workers=num_workers, on_progress=on_progress)


def _prove(
    folder: Path,
    truth: StageTruth,
    names: list[str],
    *,
    config: StageConfig,
    num_workers: int | None,
    on_progress: OnNamedProgress,
) -> StageProof:
    work = folder / "proof"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    clip_list = work / "clips.txt"
    clip_list.write_text("".join(f"{(folder / 'clips' / name).resolve()}.mp4\n" for name in names), "utf-8")
    prepare(
        clip_list,
        out=work / "data",
        config=PrepareConfig(
            clip_seconds=config.clip_seconds,
            frame_pixels=min(config.frame_pixels, _MAX_PIXELS) // PATCH_SIZE * PATCH_SIZE,
        ),
        num_workers=num_workers,
        on_progress=lambda progress: on_progress("preparing clips", progress.num_done, progress.num_files),
    )
    proof = prove_stage(
        PreparedDataset.open(work / "data"),
        truth,
        on_progress=lambda done, total: on_progress("trying rules", done, total),
    )
    write_text(folder / PROOF_FILE, proof.to_json())
    shutil.rmtree(work)
    return proof
