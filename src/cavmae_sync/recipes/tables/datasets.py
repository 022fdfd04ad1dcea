"""Datasets of a table, made once and shared by all of its rows and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cavmae_sync.atomic import locked
from cavmae_sync.audit.overlap import check_apart
from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import ConfigError
from cavmae_sync.recipes.generated_clips import (
    StageSplit,
    TestObjects,
    generate_split,
    prepare_split,
    stage_config,
)
from cavmae_sync.recipes.reporter import OnNamedProgress
from cavmae_sync.stage import StageConfig, Variant

#: Folder of the clips for a probe.
_PROBE: Final = "probe"
#: Most clips of the variant "easy" that a probe learns from and is measured on, and that are divided into
#: states. Other variants are no use for that: their clips show fixed quartets of classes, and something else
#: sounds in nearly every frame.
NUM_PROBE_CLIPS: Final[Mapping[StageSplit, int]] = MappingProxyType({"train": 600, "test": 400})

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
        probe_stage: Folder with the truth about the test list of the probe "stage", or None.
        ade20k: Folder of ADE20KSoundPrompted, or None.
        init: Weights to start from; None starts from random weights.
        allow_overlap: Whether to measure also on clips that were trained on.
    """

    train: ByFrames
    galleries: Mapping[str, ByFrames] = field(default_factory=dict)
    probing: Mapping[str, ProbingLists] = field(default_factory=dict)
    stage: Path | None = None
    probe_stage: Path | None = None
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
        probing={"stage": ProbingLists(**_probe_folders(folder, frame_counts))},
        stage=folder / "stage-test",
        probe_stage=folder / _PROBE / "stage-test",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedList:
    """A list of generated clips, and what is made of it.

    Attributes:
        folder: Folder of the generated clips' folder.
        split: Whether it is to learn from or to measure with.
        num_clips: Clips of the list.
        config: Configuration of the clips.
        pack: Folder of the objects; None for the built-in ones.
        prepared: Prepared datasets by the number of frames of a clip.
    """

    folder: Path
    split: StageSplit
    num_clips: int
    config: StageConfig
    pack: Path | None
    prepared: ByFrames


def generated_lists(
    folder: Path,
    datasets: TableDatasets,
    *,
    num_clips: Mapping[StageSplit, int],
    variant: Variant,
    test_objects: TestObjects,
    pack: Path | None,
    frame_pixels: int,
    with_probe: bool,
) -> list[GeneratedList]:
    """Lists that `stage_datasets` are made of.

    Args:
        folder: Folder of all of them.
        datasets: The datasets.
        num_clips: Clips of the training and of the test list.
        variant: Variant of the clips.
        test_objects: Objects of the test list.
        pack: Folder of the objects; None for the built-in ones.
        frame_pixels: Side of a frame.
        with_probe: Whether there are clips for a probe too; their seed is another one.
    """
    probe = datasets.probing["stage"]
    of_probe = {split: min(count, num_clips[split]) for split, count in NUM_PROBE_CLIPS.items()}
    given: list[tuple[Path, StageSplit, Mapping[StageSplit, int], Variant, int, ByFrames]] = [
        (folder, "train", num_clips, variant, 0, datasets.train),
        (folder, "test", num_clips, variant, 0, datasets.galleries["stage"]),
        (folder / _PROBE, "train", of_probe, "easy", 1, probe.train),
        (folder / _PROBE, "test", of_probe, "easy", 1, probe.test),
    ]
    return [
        GeneratedList(
            folder=place,
            split=split,
            num_clips=counts[split],
            config=stage_config(
                split, frame_pixels=frame_pixels, seed=seed, variant=of, test_objects=test_objects
            ),
            pack=pack,
            prepared=prepared,
        )
        for place, split, counts, of, seed, prepared in given[: 4 if with_probe else 2]
    ]


def make_generated_lists(
    lists: Sequence[GeneratedList], folder: Path, *, on_progress: OnNamedProgress
) -> None:
    """Make the clips and datasets of some lists; complete ones are kept.

    While another process makes them, for other rows or seeds of the same tables, it waits.

    Args:
        lists: The lists.
        folder: Folder that holds all of them.
        on_progress: Called while clips are made and prepared, and while it waits.
    """
    waits = partial(on_progress, "waiting for another process that makes clips", 0, 1)
    with locked(folder / "writer.lock", on_wait=waits):
        for made in lists:
            stage = generate_split(
                made.folder,
                made.split,
                num_clips=made.num_clips,
                config=made.config,
                pack=made.pack,
                on_progress=on_progress,
            )
            for num_frames, out in made.prepared.items():
                prepare_split(
                    stage, out, made.config.frame_pixels, num_frames=num_frames, on_progress=on_progress
                )


def _probe_folders(folder: Path, frame_counts: Sequence[int]) -> dict[str, ByFrames]:
    return {
        split: {count: folder / _PROBE / f"data-{split}-{count}-frames" for count in frame_counts}
        for split in ("train", "test")
    }
