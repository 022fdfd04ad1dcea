"""Vector files of several encoders, opened on one list of clips and in one order."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.spellings import Spellings
from cavmae_sync.embedding import DatasetEmbeddings, first_clips, read_embeddings
from cavmae_sync.embedding.vector_files import ids_fingerprint
from cavmae_sync.errors import ConfigError
from cavmae_sync.tasks.retrieval.comparison import in_order_of


def open_embeddings(
    paths: Sequence[Path], *, clips: PreparedDataset | None = None, num_clips: int | None = None
) -> dict[str, DatasetEmbeddings]:
    """Vectors by the name of their encoder, all of the same clips in the same order.

    Args:
        paths: Files that `read_embeddings` reads; at least one.
        clips: Dataset of the clips, whose ids, order, labels and fingerprint are used. None uses those of the
            first file.
        num_clips: Keep only the first clips.

    Returns:
        Vectors by the name in the file; by the path where a file has no name or two have the same.

    Raises:
        DatasetError: A file cannot be read, or its clips are not those of the dataset or of the first file.
        ConfigError: A file is named twice.
    """
    if len(set(paths)) < len(paths):
        raise ConfigError("a file of embeddings is given twice. Give each file once.")
    found = [read_embeddings(path) for path in paths]
    if clips is not None:
        found = [
            _matched_to_dataset(each, _first_clips_of(clips, len(each.clip_ids), num_clips), path)
            for each, path in zip(found, paths, strict=True)
        ]
    elif len(found) > 1:
        found = _matched_to_first(found, paths)
    if num_clips is not None:
        found = [first_clips(each, num_clips) for each in found]
    if num_clips is not None and clips is not None:
        clip_list = clips.head(num_clips).list_sha256
        found = [replace(each, clip_list=clip_list) for each in found]
    return dict(zip(_names(found, paths), found, strict=True))


def clips_of(embeddings: DatasetEmbeddings, clips: PreparedDataset) -> PreparedDataset:
    """Clips of a dataset that the vectors are of, in the order of the vectors.

    Args:
        embeddings: Vectors of clips of the dataset, with the ids of the dataset, as `open_embeddings` gives.
        clips: Dataset.
    """
    place = {clip_id: row for row, clip_id in enumerate(clips.clip_ids)}
    spellings = Spellings(tuple(place))
    return clips.subset([place[spellings.find(clip_id) or clip_id] for clip_id in embeddings.clip_ids])


def _first_clips_of(clips: PreparedDataset, num_vectors: int, num_clips: int | None) -> PreparedDataset:
    """First clips of a dataset, where a file holds only those."""
    return clips.head(num_clips) if num_clips is not None and num_vectors == num_clips else clips


def _matched_to_dataset(
    embeddings: DatasetEmbeddings, clips: PreparedDataset, path: Path
) -> DatasetEmbeddings:
    ordered = in_order_of(embeddings, tuple(clips.clip_ids), name=str(path), other=str(clips.folder))
    return replace(ordered, labels=tuple(clips.labels), clip_list=clips.list_sha256)


def _matched_to_first(found: Sequence[DatasetEmbeddings], paths: Sequence[Path]) -> list[DatasetEmbeddings]:
    """Vectors in the order of the first file.

    A file whose clips are known only by their ids gets the fingerprint of the first file's clips.
    """
    first, name = found[0], str(paths[0])
    in_order_of(first, first.clip_ids, name=name, other=str(paths[1]))  # refuses a file without ids
    by_ids = ids_fingerprint(first.clip_ids)
    ordered = [
        in_order_of(each, first.clip_ids, name=str(path), other=name)
        for each, path in zip(found, paths, strict=True)
    ]
    return [
        replace(each, clip_list=first.clip_list) if each.clip_list == by_ids else each for each in ordered
    ]


def _names(found: Sequence[DatasetEmbeddings], paths: Sequence[Path]) -> list[str]:
    names = [str(each.made_with.get("name", path.name)) for each, path in zip(found, paths, strict=True)]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
