"""`cavmae-sync import-cavmae`: frames and sound extracted for CAV-MAE to a dataset."""

from pathlib import Path

from cavmae_sync.cli.commands.prepare import show_preparation
from cavmae_sync.cli.options import Json, MaxRejectedPercent, WorkerProcesses


def import_cavmae(
    manifest: Path,
    /,
    *words: str,
    out: Path,
    root: Path | None = None,
    max_rejected_percent: MaxRejectedPercent = 100.0,
    num_workers: WorkerProcesses = None,
    as_json: Json = False,
) -> None:
    """Convert frames and sound extracted for CAV-MAE (JSON manifest, frame_i/ID.jpg, wav) into a dataset.

    A clip with a missing frame is rejected; nothing is put in its place. A folder of 10 frames is not read as
    one of 16, nor the other way round: extract 16, or set num_frames=10 for a model trained on 10.

    Example: cavmae-sync import-cavmae vggsound_test.json --root /data/vggsound --out my-dataset

    Args:
        manifest: JSON file with the key data: video_id, wav, video_path and labels of each clip.
        words: `key=value` words, as of `cavmae-sync prepare`.
        out: Folder of the dataset.
        root: Folder that stands for the placeholder in a template's paths, <YOUR_VGGS_PATH>.
    """
    from cavmae_sync.data import PrepareConfig
    from cavmae_sync.data import import_cavmae as import_clips

    config = PrepareConfig().with_overrides(words)
    show_preparation(
        lambda on_progress: import_clips(
            manifest,
            out=out,
            root=root,
            config=config,
            num_workers=num_workers,
            max_rejected_fraction=max_rejected_percent / 100,
            on_progress=on_progress,
        ),
        as_json=as_json,
    )
