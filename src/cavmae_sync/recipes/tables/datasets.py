"""What a table is run on: datasets made once and shared by all of its rows and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cavmae_sync.audit.overlap import check_apart
from cavmae_sync.data import PrepareConfig, PreparedDataset, prepare
from cavmae_sync.errors import ConfigError
from cavmae_sync.paper import NUM_FRAMES
from cavmae_sync.recipes.reporter import OnNamedProgress
from cavmae_sync.stage import StageConfig, make_stage

#: Below this, starting processes takes longer than the work.
_FEW_CLIPS: Final = 32
#: The two lists of a stage.
StageSplit = Literal["train", "test"]

#: Prepared datasets by the number of frames of a clip.
ByFrames = Mapping[int, Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbingLists:
    """Datasets with labels: what a probe learns from, and what it is measured with."""

    train: ByFrames
    test: ByFrames


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDatasets:
    """Everything a grid may need; what is absent makes cells that say so.

    Attributes:
        train: Pretraining sets.
        galleries: Retrieval sets by name, the name standing in the headings of cells.
        probing: Labelled lists by name.
        stage: Stage with the truth of the gallery "stage"; None where there is none.
        ade20k: Folder of ADE20KSoundPrompted; None where there is none.
        init: Weights to start from; None starts afresh.
        allow_overlap: Measure also on clips that were learned from.
    """

    train: ByFrames
    galleries: Mapping[str, ByFrames] = field(default_factory=dict)
    probing: Mapping[str, ProbingLists] = field(default_factory=dict)
    stage: Path | None = None
    ade20k: Path | None = None
    init: Path | None = None
    allow_overlap: bool = False

    def check_apart(self) -> None:
        """Refuse lists to measure with that hold clips of a list to learn from.

        Raises:
            DatasetError: A gallery or test list shares clips with a pretraining set, or with the list that
                its probe learns from.
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
        ConfigError: Two have equally many.
        DatasetError: A folder is no prepared dataset.
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
    """Where generated clips lie, and their datasets, one for each number of frames of a clip."""
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
    """Make what `stage_datasets` names; what is complete is used again.

    Args:
        folder: Where it lies.
        datasets: What is needed.
        num_clips: Clips of the training and of the test list, which show other objects.
        frame_pixels: Side of a frame.
        on_progress: Who looks on.
    """
    lists: dict[StageSplit, ByFrames] = {"train": datasets.train, "test": datasets.galleries["stage"]}
    for split, folders in lists.items():
        stage = make_split(
            folder, split, num_clips=num_clips[split], frame_pixels=frame_pixels, on_progress=on_progress
        )
        for num_frames, out in folders.items():
            prepare_split(stage, out, frame_pixels, num_frames=num_frames, on_progress=on_progress)


def stage_folder(folder: Path, split: StageSplit) -> Path:
    """Where the generated clips of one list lie."""
    return folder / f"stage-{split}"


def config_of_split(split: StageSplit, *, frame_pixels: int, seed: int = 0) -> StageConfig:
    """What they are generated by."""
    return StageConfig(seed=seed, split=split, frame_pixels=frame_pixels, frames_per_second=8)


def is_made(stage: Path, *, num_clips: int) -> bool:
    """Whether all of them are there."""
    return (stage / "labels.csv").exists() and sum(1 for _ in (stage / "clips").iterdir()) >= num_clips


def make_split(
    folder: Path,
    split: StageSplit,
    *,
    num_clips: int,
    frame_pixels: int,
    seed: int = 0,
    on_progress: OnNamedProgress,
) -> Path:
    """Generated clips of one list, in FOLDER/stage-SPLIT."""
    stage = stage_folder(folder, split)
    make_stage(
        stage,
        config=config_of_split(split, frame_pixels=frame_pixels, seed=seed),
        num_clips=num_clips,
        num_workers=1 if num_clips < _FEW_CLIPS else None,
        on_progress=lambda done, total: on_progress(f"making {split} clips", done, total),
    )
    return stage


def prepare_split(
    stage: Path,
    out: Path,
    frame_pixels: int,
    *,
    num_frames: int = NUM_FRAMES,
    on_progress: OnNamedProgress,
) -> None:
    """A stage as a prepared dataset with its labels; as CAV-MAE sampled it where frames are not 16."""
    num_clips = sum(1 for _ in (stage / "clips").iterdir())
    prepare(
        stage / "clips",
        out=out,
        config=preparation_of_split(frame_pixels, num_frames=num_frames),
        labels=stage / "labels.csv",
        num_workers=0 if num_clips < _FEW_CLIPS else None,
        on_progress=lambda progress: on_progress(
            f"preparing {out.name}", progress.num_done, progress.num_files
        ),
    )


def preparation_of_split(frame_pixels: int, *, num_frames: int = NUM_FRAMES) -> PrepareConfig:
    """How a stage is prepared: as CAV-MAE sampled it where frames are not 16."""
    return PrepareConfig(
        frame_pixels=frame_pixels,
        num_frames=num_frames,
        sampling="linspace_inclusive" if num_frames == NUM_FRAMES else "uniform_left",
    )
