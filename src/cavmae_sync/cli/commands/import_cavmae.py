"""`cavmae-sync import-cavmae`: frames and sound extracted for CAV-MAE to a dataset."""

from pathlib import Path

from cavmae_sync.cli.commands.prepare import show_preparation
from cavmae_sync.cli.options import Json, Workers


def import_cavmae(
    manifest: Path,
    /,
    *overrides: str,
    out: Path,
    root: Path | None = None,
    num_workers: Workers = None,
    max_rejected_percent: float = 100.0,
    as_json: Json = False,
) -> None:
    """Convert frames and sound extracted for CAV-MAE (JSON manifest, frame_i/ID.jpg, wav) into a dataset.

    A missing frame rejects its clip; nothing is put in its place. A folder of 10 frames is not read as one of
    16, nor the other way round: extract 16, or set num_frames=10 for a model trained on 10.

    Example: cavmae-sync import-cavmae vggsound_test.json --root /data/vggsound --out my-dataset

    Args:
        manifest: JSON file with the key data: video_id, wav, video_path, labels of each clip.
        overrides: `key=value` words of the preparation.
        out: Folder of the dataset.
        root: Folder that stands for the placeholder in a template's paths, <YOUR_VGGS_PATH>.
        num_workers: Processes; one per core unless given.
        max_rejected_percent: Fail when more of the clips than this are rejected.
        as_json: Print the audit as one JSON object.
    """
    from cavmae_sync.data import PrepareConfig
    from cavmae_sync.data import import_cavmae as convert

    config = PrepareConfig().with_overrides(overrides)
    show_preparation(
        lambda on_progress: convert(
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
