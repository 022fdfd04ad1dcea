"""Datasets of a table, made once and shared by all of its rows and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cavmae_sync.audit.overlap import check_apart
from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.generated_clips import StageSplit, generate_split, prepare_split
from cavmae_sync.recipes.reporter import OnNamedProgress

#: Prepared datasets by the number of frames of a clip.
ByFrames = Mapping[int, Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbingLists:
    """Datasets with labels: one to train a probe, one to measure it."""

    train: ByFrames
    test: ByFrames


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDatasets:
    """All datasets that a table may need; cells that lack one say so.

    Attributes:
        train: Pretraining sets.
        galleries: Retrieval sets by name; names appear in the headings of columns.
        probing: Labelled lists by name.
        stage: Folder with the truth about the gallery "stage", or None.
        ade20k: Folder of ADE20KSoundPrompted, or None.
        init: Weights to start from; None starts from random weights.
        allow_overlap: Whether to measure also on clips that were trained on.
    """

    train: ByFrames
    galleries: Mapping[str, ByFrames] = field(default_factory=dict)
    probing: Mapping[str, ProbingLists] = field(default_factory=dict)
    stage: Path | None = None
    ade20k: Path | None = None
    init: Path | None = None
    allow_overlap: bool = False

    def check_apart(self) -> None:
        """Raise if a list to measure with holds clips of a training list.

        Raises:
            DatasetError: A gallery or test list shares clips with a pretraining set, or with the training
                list of its probe.
        """
        tests = [*self.galleries.values(), *(lists.test for lists in self.probing.values())]
        pairs = [(test, self.train) for test in tests]
        pairs += [(lists.test, lists.train) for lists in self.probing.values()]
        folders = {(a, b) for test, train in pairs for a in test.values() for b in train.values()}
        for test, train in sorted(folders):
            check_apart(
                PreparedDataset.open(test), PreparedDataset.open(train), allow_overlap=self.allow_overlap
            )


def by_frames(folders: Sequence[Path]) -> dict[int, Path]:
    """Prepared datasets by the number of frames of their clips.

    Raises:
        ConfigError: Two datasets have equally many.
        DatasetError: A folder is not a prepared dataset.
    """
    found: dict[int, Path] = {}
    for folder in folders:
        num_frames = PreparedDataset.open(folder).num_frames
        if num_frames in found:
            raise ConfigError(
                f"{folder} and {found[num_frames]} both have {num_frames} frames a clip. Give one of them."
            )
        found[num_frames] = folder
    return found


def stage_datasets(folder: Path, *, frame_counts: Sequence[int]) -> TableDatasets:
    """Paths of generated clips and their datasets, one for each number of frames of a clip."""
    train, test = (
        {count: folder / f"data-{split}-{count}-frames" for count in frame_counts}
        for split in ("train", "test")
    )
    return TableDatasets(
        train=train,
        galleries={"stage": test},
        probing={"stage": ProbingLists(train=train, test=test)},
        stage=folder / "stage-test",
    )


def make_stage_datasets(
    folder: Path,
    datasets: TableDatasets,
    *,
    num_clips: Mapping[StageSplit, int],
    frame_pixels: int,
    on_progress: OnNamedProgress,
) -> None:
    """Make the datasets of `stage_datasets`; complete ones are kept.

    Args:
        folder: Folder of all of them.
        datasets: The datasets to make.
        num_clips: Clips of the training and of the test list, which show other objects.
        frame_pixels: Side of a frame.
        on_progress: Called while clips are made and prepared.
    """
    lists: dict[StageSplit, ByFrames] = {"train": datasets.train, "test": datasets.galleries["stage"]}
    for split, folders in lists.items():
        stage = generate_split(
            folder, split, num_clips=num_clips[split], frame_pixels=frame_pixels, on_progress=on_progress
        )
        for num_frames, out in folders.items():
            prepare_split(stage, out, frame_pixels, num_frames=num_frames, on_progress=on_progress)
