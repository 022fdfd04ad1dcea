"""Reading a library: its files, its clips, and their vectors.

N clips, T moments per clip, D width.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data.storage.tables import list_hash
from cavmae_sync.embedding.library.catalogue import Catalogue, ContentRow, FileRow
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.part import Part, read_part
from cavmae_sync.embedding.library.record import LibraryRecord, read_record
from cavmae_sync.embedding.library.report import LibraryReport, library_report
from cavmae_sync.embedding.library.schema import FACTS_SCHEMA, Sense
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.embedding.types import DatasetEmbeddings
from cavmae_sync.embedding.vector_formats import check_fits
from cavmae_sync.errors import DatasetError
from cavmae_sync.model import CAVMAESync

#: Columns of `Library.clips`: where the clip is, and its facts.
CLIPS_SCHEMA = pa.schema(
    [
        FACTS_SCHEMA.field("id"),
        pa.field("root", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        *(field for field in FACTS_SCHEMA if field.name != "id"),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Library of vectors in a folder. It may grow meanwhile: each method reads what is there when called.

    Attributes:
        folder: Folder of the library.
        record: What made it.
    """

    folder: Path
    record: LibraryRecord

    @property
    def config(self) -> LibraryConfig:
        """Clips that are cut, and how vectors are stored."""
        return self.record.config

    def catalogue(self) -> Catalogue:
        """Its catalogue, open to read. Close it."""
        return Catalogue(self.folder)

    def report(self) -> LibraryReport:
        """Counts."""
        with self.catalogue() as catalogue:
            return library_report(catalogue)

    def was_made_by(self, model: CAVMAESync) -> bool:
        """Whether a model made it: the same weights, with the same inputs (their alignment, for one)."""
        return self.record.was_made_by(model)

    def files(self) -> list[FileRow]:
        """Files in the library, by root and path."""
        with self.catalogue() as catalogue:
            return catalogue.files(state="ok")

    def failed(self) -> list[FileRow]:
        """Files that cannot be used, with the reason."""
        with self.catalogue() as catalogue:
            return catalogue.files(state="failed")

    def contents(self) -> list[ContentRow]:
        """Contents that some file holds, each once, in the order of their first files."""
        with self.catalogue() as catalogue:
            known = {row.content: row for row in catalogue.contents()}
            held = dict.fromkeys(row.content for row in catalogue.files(state="ok"))
        return [known[content] for content in held if content in known]

    def part(self, content: str) -> Part:
        """Clips of a content, with their vectors.

        Raises:
            DatasetError: The part is missing or damaged.
        """
        return read_part(self.folder, content, self.record)

    def parts(self) -> Iterator[Part]:
        """Clips of all contents, one content after the other, in the order of their first files."""
        for row in self.contents():
            yield self.part(row.content)

    def clips(self) -> pa.Table:
        """Table of all clips without their vectors. A content that several files hold is there once."""
        with self.catalogue() as catalogue:
            first = {row.content: row for row in reversed(catalogue.files(state="ok"))}
        tables = [with_place(part, first[part.content]) for part in self.parts()]
        return pa.concat_tables([CLIPS_SCHEMA.empty_table(), *tables])

    def vectors(self, sense: Sense) -> Iterator[Tensor]:
        """Vectors of one sense, those of each content that has it: float32 [F, D], unit rows."""
        for part in self.parts():
            rows_FD = part.vectors(sense)
            if rows_FD is not None:
                yield self._tensor(rows_FD)

    def embeddings(self) -> DatasetEmbeddings:
        """All vectors, in memory, for retrieval and all else that works on datasets.

        Only whole clips with sound and picture are in it: scores of a diagonal need as many moments each.

        Raises:
            DatasetError: The vectors do not fit into memory, or there are none.
        """
        num_frames, width = self.config.num_frames, self.record.encoder.width
        num_clips = sum(row.num_clips for row in self.contents() if row.has_audio and row.has_visual)
        # Two senses in float32; the parts and the joined tensors are in memory together.
        check_fits(self.folder, "its vectors", 2 * 2 * 4 * num_clips * num_frames * width)
        audio: list[Tensor] = []
        visual: list[Tensor] = []
        chosen: list[pa.Table] = []
        with self.catalogue() as catalogue:
            first = {row.content: row for row in reversed(catalogue.files(state="ok"))}
        for part in self.parts():
            is_whole = part.frames_per_clip == num_frames
            audio_FD, visual_FD = part.vectors("audio"), part.vectors("visual")
            if audio_FD is None or visual_FD is None or not is_whole.any():
                continue
            chosen.append(with_place(part, first[part.content]).filter(pa.array(is_whole)))
            of_whole = np.repeat(is_whole, part.frames_per_clip)
            audio.append(self._tensor(audio_FD[of_whole]).unflatten(0, (-1, num_frames)))
            visual.append(self._tensor(visual_FD[of_whole]).unflatten(0, (-1, num_frames)))
        if not chosen:
            raise DatasetError(
                f"{self.folder} has no clip of {self.config.clip_seconds:g} s with sound and picture. Add "
                "videos that are longer."
            )
        clips = pa.concat_tables(chosen)
        return DatasetEmbeddings(
            audio_NTD=torch.cat(audio),
            visual_NTD=torch.cat(visual),
            clip_ids=tuple(clips["id"].to_pylist()),
            labels=((),) * len(clips),
            clip_list=list_hash(clips),
            weights=self.record.encoder.weights,
            made_with=self.record.encoder.made_with,
        )

    def _tensor(self, rows_FD: NDArray[np.floating]) -> Tensor:
        rows = torch.from_numpy(rows_FD.astype(np.float32))
        # float16 rounds each number, so that rows are no longer of unit length.
        return rows if self.config.store == "float32" else unit_rows(rows)


def open_library(folder: str | os.PathLike[str]) -> Library:
    """Open a library, also while it is being filled.

    Raises:
        DatasetError: The folder is not a library, or of another version of the format.
    """
    place = Path(folder)
    return Library(folder=place, record=read_record(place))


def with_place(part: Part, file: FileRow) -> pa.Table:
    """Facts of clips with where they are: columns of `CLIPS_SCHEMA`."""
    facts, count = part.facts, len(part)
    place = {"root": file.root, "source": file.path, "content_hash": part.content}
    columns = [
        facts[field.name] if field.name in facts.schema.names else pa.array([place[field.name]] * count)
        for field in CLIPS_SCHEMA
    ]
    return pa.table(columns, schema=CLIPS_SCHEMA)
