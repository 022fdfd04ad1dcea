"""`cavmae-sync prepare`: videos to a dataset."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.choices import LabelNames, ListSplit
from cavmae_sync.cli.options import Json, WorkOptions
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.data import PrepareReport
    from cavmae_sync.work import ShareProgress


def prepare(
    source: Path,
    /,
    *words: str,
    out: Path,
    labels: Path | None = None,
    split: ListSplit | None = None,
    classes: Path | None = None,
    names: LabelNames = "name",
    work: WorkOptions = WorkOptions(),
    as_json: Json = False,
) -> None:
    """Decode videos once into a dataset that training and evaluation read fast.

    Each video gives clips of 10 seconds: 16 frames, the sound, and its log-mel spectrogram. Files that cannot
    be used are listed with the reason in OUT/rejected.parquet. Stop it at any moment, even by kill -9, and
    run it again: what was finished stays.

    Words, with their defaults:

    - `clip_seconds=10`: length of a clip.
    - `num_frames=16`: frames of a clip.
    - `frame_pixels=224`: width and height of a frame.
    - `sampling=linspace_inclusive`: which moments the frames show; `uniform_center` takes the middles of
      equal parts.
    - `min_seconds=1`: reject videos with less picture than this.
    - `max_clips_per_file=none`: take only the first clips of each file.

    Example: cavmae-sync prepare my-videos --out my-dataset

    Args:
        source: Folder of videos (searched in depth), or a text or CSV file that lists them.
        words: `key=value` words, for example `min_seconds=2`.
        out: Folder of the dataset.
        labels: CSV file with the columns video_id,labels (several labels separated by ;), or AudioSet's
            segments, vggsound.csv or a manifest of CAV-MAE: files are found by their official names.
        split: Take only these rows of vggsound.csv.
        classes: Class list (index,mid,display_name) or ontology.json that every label must be in.
        names: How the labels are written then: as the names of the class list, or as its mids.
    """
    from cavmae_sync.data import PrepareConfig
    from cavmae_sync.data import prepare as prepare_videos
    from cavmae_sync.data.preparing.labels import LabelFile

    share, workers = work.share(), work.workers()
    if labels is None and (split is not None or classes is not None):
        raise ConfigError("--split and --classes are about labels. Give --labels too.")
    config = PrepareConfig().with_overrides(words)
    label_file = None if labels is None else LabelFile(path=labels, split=split, classes=classes, names=names)
    show_preparation(
        lambda on_progress: prepare_videos(
            source,
            out=out,
            config=config,
            labels=label_file,
            num_workers=workers,
            max_rejected_fraction=work.max_rejected_percent / 100,
            share=share,
            on_progress=on_progress,
        ),
        as_json=as_json,
    )


def show_preparation(
    run: "Callable[[Callable[[ShareProgress], None]], PrepareReport]", *, as_json: bool
) -> None:
    """Prepare with progress on standard error, and print the report.

    Args:
        run: Prepares; takes the function to call with progress.
        as_json: Print the report as one JSON object.
    """
    with show_progress("preparing files") as advance:

        def on_progress(progress: "ShareProgress") -> None:
            note = f"{progress.num_clips} clips, {progress.num_rejected} rejected"
            advance(progress.num_done, progress.num_files, note)

        report = run(on_progress)
    if as_json:
        print_json(report.to_dict(), indent=None)
        return
    Terminal().print(report.to_table())
