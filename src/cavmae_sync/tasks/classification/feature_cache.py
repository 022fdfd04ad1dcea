"""Features of a dataset in files: computed once, then read by row for every head that is trained.

FOLDER/KEY/features.json   description: clips, their preparation, weights, tokens, precision
FOLDER/KEY/audio.npy       float16 [N, T, D]; visual.npy the same
FOLDER/KEY/audio.part      the same, unfinished; audio.done holds the number of its clips
FOLDER/KEY/features.lock   held by the process that computes
FOLDER/KEY/float32_products   how float32 products are computed, for everybody who continues
FOLDER/KEY/audio.2-of-8.npy   the part of one of several machines, until all parts are joined

The key is a hash of the description, so that features of other clips or weights are never mistaken for these.
The two modalities have files of their own: features of both serve probes of one modality too.

N clips, B some of them, T frames per clip, D width of a feature.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.atomic import locked, write_text
from cavmae_sync.compute import parse_float32_products
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding.embedder import Embedder, OnProgress
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import Modality
from cavmae_sync.tasks.classification.features import FeatureConfig, iterate_features
from cavmae_sync.weights import weights_fingerprint
from cavmae_sync.work import Share

_VERSION: Final = 1
#: Clips between two notes of progress; a kill costs at most so many.
_CLIPS_PER_NOTE: Final = 64
_KEY_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """Features of clips, read on demand.

    Attributes:
        parts: Floats `[N, T, D]`, float16 of each modality; a feature is their concatenation.
        rows: Rows of the parts, in order; None for all.
    """

    parts: tuple[NDArray[np.floating[Any]], ...]
    rows: tuple[int, ...] | None = None

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.parts[0]) if self.rows is None else len(self.rows)

    @property
    def width(self) -> int:
        """Width of a feature."""
        return sum(part.shape[2] for part in self.parts)

    def subset(self, rows: Sequence[int]) -> Self:
        """Features of some of the clips, in the order given; nothing is read yet."""
        chosen = tuple(rows) if self.rows is None else tuple(self.rows[row] for row in rows)
        return type(self)(self.parts, chosen)

    def read(self, rows: Sequence[int]) -> Tensor:
        """Values of some clips, float32 `[B, T, D]`."""
        places = list(rows) if self.rows is None else [self.rows[row] for row in rows]
        return torch.cat([torch.from_numpy(np.asarray(part[places])) for part in self.parts], dim=2).float()


def cached_features(
    embedder: Embedder,
    clips: PreparedDataset,
    config: FeatureConfig,
    *,
    folder: Path,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> StoredFeatures:
    """Features of a dataset, from files if they exist, computed otherwise.

    An interrupted computation continues where it stopped. Memory does not grow with the dataset. Of several
    processes that need the same features, one computes and the others wait for it.

    Args:
        embedder: The model and how it computes.
        clips: Prepared clips.
        config: Which vector.
        folder: Folder of features, of any number of datasets and models.
        num_workers: Processes that read clips.
        on_progress: Called after each batch with clips done and clips in all.

    Raises:
        ValueError: The dataset is empty.
        ConfigError: The model has no such tokens.
        DatasetError: A file of the folder is damaged.
        WeightsError: A feature is not finite, or too large for float16.
    """
    place = _place(embedder, clips, config, folder=folder)
    files = _files(place, embedder, config, num_clips=len(clips), num_frames=clips.num_frames)
    if _missing(files):
        with locked(place / "features.lock"):
            missing = _missing(files)
            if missing:  # else another process made them while this one waited
                embedder = _as_begun(embedder, place)
                _fill(missing, embedder, clips, config, num_workers=num_workers, on_progress=on_progress)
    return StoredFeatures(tuple(file.open() for file in files.values()))


def cache_share(
    embedder: Embedder,
    clips: PreparedDataset,
    config: FeatureConfig,
    *,
    folder: Path,
    share: Share,
    num_workers: int = 0,
    on_progress: OnProgress | None = None,
) -> bool:
    """Compute one machine's share of the files of `cached_features`, without a coordinator.

    Each share writes a range of clips to files of its own, and continues after an interruption. The machine
    that finds all parts complete joins them. The result equals that of one process, byte for byte.

    Args:
        embedder: The model and how it computes.
        clips: All prepared clips, those of other shares too.
        config: Which vector.
        folder: Folder of features; every machine must see it.
        share: Part to compute.
        num_workers: Processes that read clips.
        on_progress: Called after each batch with clips done and clips of this share.

    Returns:
        Whether the features are complete; otherwise other shares are missing.

    Raises:
        DatasetError: Another process computes this share, or a file is damaged.
        ConfigError, ValueError, WeightsError: As `cached_features`.
    """
    place = _place(embedder, clips, config, folder=folder)
    whole = _files(place, embedder, config, num_clips=len(clips), num_frames=clips.num_frames)
    ranges = _share_ranges(len(clips), share.count, step=_batch_clips(embedder, clips))
    shares = {
        index: _files(
            place, embedder, config, num_clips=len(rows), num_frames=clips.num_frames,
            ending=f".{index}-of-{share.count}",
        )
        for index, rows in enumerate(ranges)
        if rows
    }  # fmt: skip
    busy = f"Another process computes this share of {place}. Wait for it to end."
    with locked(place / f"features.{share.index}-of-{share.count}.lock", busy=busy):
        absent = _missing(shares.get(share.index, {}))
        missing = {part: file for part, file in absent.items() if part in _missing(whole)}
        if missing:
            mine = clips.subset(ranges[share.index])
            embedder = _as_begun(embedder, place)
            _fill(missing, embedder, mine, config, num_workers=num_workers, on_progress=on_progress)
    with locked(place / "features.lock"):
        list(place.iterdir())  # makes a network file system refresh its view of the folder
        for part in _missing(whole):
            parts = [files[part] for files in shares.values()]
            if all(file.path.exists() for file in parts):
                whole[part].join(parts)
    return not _missing(whole)


def _place(embedder: Embedder, clips: PreparedDataset, config: FeatureConfig, *, folder: Path) -> Path:
    """Folder of these features, with their description in it."""
    if len(clips) == 0:
        raise ValueError("The dataset has no clips, so there is nothing to embed.")
    about = _description(embedder, clips, config)
    text = json.dumps(about, indent=2, sort_keys=True) + "\n"
    place = folder / hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / "features.json", text)
    return place


def _as_begun(embedder: Embedder, place: Path) -> Embedder:
    """Embedder that computes float32 products in the same way as the process that began these features.

    The way is chosen by measuring speed. A continued run, or another share, could measure otherwise, and
    features would differ in their last digits.
    """
    note = place / "float32_products"
    with locked(note.with_suffix(".lock")):
        if not note.exists():
            write_text(note, embedder.arithmetic.float32_products)
    begun = note.read_text("utf-8")
    if begun == embedder.arithmetic.float32_products:
        return embedder
    products = parse_float32_products(begun)
    if products is None:
        raise DatasetError(
            f"{note} holds {begun!r}, which is not a way to compute products. Delete the folder {place}."
        )
    return embedder.replace(float32_products=products)


def _files(
    place: Path,
    embedder: Embedder,
    config: FeatureConfig,
    *,
    num_clips: int,
    num_frames: int,
    ending: str = "",
) -> "dict[Modality, _FeatureFile]":
    width = config.width(embedder.model.config) // len(config.parts)
    shape = (num_clips, num_frames, width)
    return {part: _FeatureFile(place, f"{part}{ending}", shape=shape) for part in config.parts}


def _missing(files: "Mapping[Modality, _FeatureFile]") -> "dict[Modality, _FeatureFile]":
    return {part: file for part, file in files.items() if not file.is_finished()}


def _batch_clips(embedder: Embedder, clips: PreparedDataset) -> int:
    """Number of clips in one batch of the model; see `iterate_features`."""
    return max(1, embedder.batch_size // clips.num_frames)


def _share_ranges(num_clips: int, num_shares: int, *, step: int) -> list[range]:
    """Consecutive clips for each share, in whole batches: other batches could give other last digits.

    >>> _share_ranges(10, 3, step=4)
    [range(0, 4), range(4, 8), range(8, 10)]
    """
    num_batches = -(-num_clips // step)
    edges = [min(index * num_batches // num_shares * step, num_clips) for index in range(num_shares + 1)]
    return [range(first, stop) for first, stop in itertools.pairwise(edges)]


def _description(embedder: Embedder, clips: PreparedDataset, config: FeatureConfig) -> dict[str, Any]:
    """Everything that features depend on. The hash of a list does not include how its clips were prepared."""
    return {
        "version": _VERSION,
        "clip_list": clips.list_sha256,
        "prepared": clips.config.model_dump(mode="json"),
        "weights": weights_fingerprint(embedder.model),
        "model": embedder.model.config.model_dump(mode="json"),
        "tokens": config.tokens,
        "depth": config.depth,
        "precision": embedder.precision,
        # Only where it is not the usual one: files of earlier versions keep their names.
        **({} if config.length == "raw" else {"length": config.length}),
    }


class _FeatureFile:
    """File with the features of one modality, finished or not."""

    def __init__(self, folder: Path, name: str, *, shape: tuple[int, int, int]) -> None:
        self.path, self.shape = folder / f"{name}.npy", shape
        self._unfinished, self._note = folder / f"{name}.part", folder / f"{name}.done"

    def open(self) -> NDArray[np.float16]:
        """The finished file, mapped into memory."""
        try:
            values: NDArray[np.float16] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DatasetError(
                f"{self.path} is damaged ({error}). Delete it; it is computed again."
            ) from error
        if values.shape != self.shape or values.dtype != np.float16:
            raise DatasetError(
                f"{self.path} holds {values.dtype} {values.shape}, float16 {self.shape} is needed. "
                "Delete it; it is computed again."
            )
        return values

    def is_finished(self) -> bool:
        """Whether the file is complete. A note of progress that a kill left beside it is removed."""
        if not self.path.exists():
            return False
        self._note.unlink(missing_ok=True)
        return True

    def num_done(self) -> int:
        """Number of clips that are certainly in the unfinished file."""
        if not (self._note.exists() and self._unfinished.exists()):
            return 0
        return int(self._note.read_text("utf-8"))

    def begin(self) -> NDArray[np.float16]:
        """Unfinished file, mapped for writing; created if there is none."""
        mode = "r+" if self.num_done() else "w+"
        return open_memmap(self._unfinished, mode=mode, dtype=np.float16, shape=self.shape)

    def note(self, values: NDArray[np.float16], num_done: int) -> None:
        """Write clips to disk, then their number. In this order a kill never leaves a number too large."""
        if isinstance(values, np.memmap):
            values.flush()
        write_text(self._note, str(num_done))

    def finish(self) -> None:
        """Give the file its final name; only now does it count as complete."""
        with self._unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        self._unfinished.replace(self.path)
        self._note.unlink(missing_ok=True)

    def join(self, parts: "Sequence[_FeatureFile]") -> None:
        """Fill the file with several parts, one after the other, and remove them."""
        values = self.begin()
        first = 0
        for part in parts:
            values[first : first + part.shape[0]] = part.open()
            first += part.shape[0]
        self.note(values, first)
        self.finish()
        for part in parts:
            part.path.unlink()


def _fill(
    files: Mapping[Modality, _FeatureFile],
    embedder: Embedder,
    clips: PreparedDataset,
    config: FeatureConfig,
    *,
    num_workers: int,
    on_progress: OnProgress | None,
) -> None:
    parts: tuple[Modality, ...] = tuple(files)
    wanted = config.model_copy(update={"modalities": parts[0] if len(parts) == 1 else "both"})
    done = noted = min(file.num_done() for file in files.values())
    values = {part: file.begin() for part, file in files.items()}
    rest = clips.subset(range(done, len(clips)))
    for batch in iterate_features(embedder, rest, wanted, num_workers=num_workers):
        size = len(batch[parts[0]])
        for part in parts:
            values[part][done : done + size] = batch[part].numpy()
        done += size
        if done - noted >= _CLIPS_PER_NOTE or done == len(clips):
            for part, file in files.items():
                file.note(values[part], done)
            noted = done
        if on_progress is not None:
            on_progress(done, len(clips))
    for file in files.values():
        file.finish()
