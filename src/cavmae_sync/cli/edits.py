"""Ways to the edit that commands share: found moments to files of editing programs, and to clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cyclopts import Parameter

from cavmae_sync.choices import EditFormat
from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.options import Overwrite
from cavmae_sync.cli.outputs import check_folder, check_new, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import print_line
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.edit import CutClip, EditMoment
    from cavmae_sync.embedding.library import Library
    from cavmae_sync.search import Found, Hit

_MOST_REMARKS: Final = 5


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class EditOptions:
    """Way to the edit: files for editing programs, and clips, of the moments that match.

    Attributes:
        export: File for an editing program. Its ending says the format: .otio, .xml (Final Cut Pro 7),
            .fcpxml, .edl (CMX3600), .csv, .html (page as an evidence trail); may be repeated.
        export_format: Format of the files with its ending: resolve-edl puts markers into an .edl.
        export_rate: Frames per second of the sequence, such as 25 or 29.97; that of the first moment with a
            picture unless given.
        cut: Folder for clips, each a file of its own: copied where that is exact, encoded again elsewhere.
        overwrite: Replace the files that are there already.
    """

    export: list[Path] | None = None
    export_format: EditFormat | None = None
    export_rate: str | None = None
    cut: Path | None = None
    overwrite: Overwrite = False

    def check(self) -> None:
        """Refuse files that could not be written, before any work is done.

        Raises:
            ConfigError: A file has an ending of no format, is there already, or may not be written.
        """
        if not self.export and (self.export_format is not None or self.export_rate is not None):
            raise ConfigError("--export-format and --export-rate go with --export FILE.")
        if not self.export and self.cut is None:
            return
        from cavmae_sync.edit import parse_rate

        for path, _ in self._formats():
            check_output(path, option="--export", suffix=path.suffix.lower())
            check_new(path, option="--export", overwrite=self.overwrite)
        if self.export_rate is not None:
            parse_rate(self.export_rate)
        check_folder(self.cut, option="--cut")

    def _formats(self) -> list[tuple[Path, str]]:
        """Files with the names of their formats.

        Raises:
            ConfigError: An ending says no format, or no file has the ending of the format asked for.
        """
        from cavmae_sync.edit import FORMATS, format_of

        files = self.export or []
        wanted = self.export_format
        if wanted is None:
            return [(path, format_of(path)) for path in files]
        fitting = [path for path in files if path.suffix.lower() == FORMATS[wanted].suffix]
        if not fitting:
            format_of(files[0], wanted)  # says which ending is needed
        return [(path, format_of(path, wanted if path in fitting else None)) for path in files]

    def write(
        self, found: "Found", library: "Library", *, query_file: Path | None, settings: Mapping[str, str]
    ) -> dict[str, Any]:
        """Write what is asked for, of the hits that match; of all where none can be judged.

        Args:
            found: Result of a search.
            library: The library.
            query_file: The file that was asked with.
            settings: Settings of the search that its result does not tell, by name.

        Returns:
            What was written, as JSON values: `exports`, `clips`, `remarks`; empty where nothing is asked for.
        """
        if not self.export and self.cut is None:
            return {}
        matching = [hit for hit in found.hits if found.matches is None or _matches(hit, found.cutoff)]
        moments, remarks = _moments(matching, library)
        if not moments:
            remarks.append("Nothing matches, or no file of it is there: nothing was written.")
            return {"exports": [], "clips": [], "remarks": remarks}
        self._export(moments, found, library, query_file=query_file, settings=settings)
        clips: list[CutClip] = []
        if self.cut is not None:
            clips = _cut(moments, self.cut, overwrite=self.overwrite)
        return {
            "exports": [str(path) for path in self.export or ()],
            "clips": [_clip_values(clip) for clip in clips],
            "remarks": remarks,
        }

    def _export(
        self,
        moments: "list[EditMoment]",
        found: "Found",
        library: "Library",
        *,
        query_file: Path | None,
        settings: Mapping[str, str],
    ) -> None:
        from cavmae_sync.edit import ExportOptions, SequenceOptions, evidence_of, parse_rate, write_export

        rate = None if self.export_rate is None else parse_rate(self.export_rate)
        named = self._formats()
        is_page = any(name == "html" for _, name in named)
        evidence = evidence_of(found, library, query_file=query_file, settings=settings) if is_page else None
        options = ExportOptions(sequence=SequenceOptions(rate=rate), evidence=evidence)
        for path, name in named:
            write_export(path, moments, name, title=found.about, options=options)


def show_written(written: Mapping[str, Any]) -> None:
    """Say what was written."""
    for remark in written.get("remarks", [])[:_MOST_REMARKS]:
        print_line(remark)
    for path in written.get("exports", []):
        print_line(f"written: {path}")
    for clip in written.get("clips", []):
        parts = [f"{name} {clip[name]}" for name in ("picture", "sound") if clip[name] is not None]
        print_line(f"written: {clip['path']} ({', '.join(parts)})")


def _matches(hit: "Hit", cutoff: float) -> bool:
    return hit.probability is not None and hit.probability >= cutoff


def _moments(hits: "list[Hit]", library: "Library") -> "tuple[list[EditMoment], list[str]]":
    """Moments of hits whose file is there, and remarks about files."""
    from cavmae_sync.edit import EditSource, moment_of_hit, read_source

    with library.catalogue() as catalogue:
        roots = catalogue.roots()
    sources: dict[str, EditSource | None] = {}
    moments: list[EditMoment] = []
    remarks: list[str] = []
    for hit in hits:
        if hit.content not in sources:
            folders = [(roots[place.root].path, place.path) for place in hit.places if place.root in roots]
            paths = [folder / below for folder, below in folders if folder is not None]
            path = next((each for each in paths if each.is_file()), None)
            source = sources[hit.content] = None if path is None else read_source(path)
            if source is None:
                remarks.append(f"left out: {hit.file.root}/{hit.file.path} is not there now")
            else:
                remarks += [f"{hit.file.root}/{hit.file.path}: {remark}" for remark in source.remarks]
        source = sources[hit.content]
        if source is not None:
            moments.append(moment_of_hit(hit, source))
    return moments, remarks


def _cut(moments: "list[EditMoment]", folder: Path, *, overwrite: bool) -> "list[CutClip]":
    from cavmae_sync.edit import cut
    from cavmae_sync.media.proxy import StoppedError

    with stop_on_signal() as should_stop, show_progress("cutting clips") as advance:
        try:
            return cut(moments, folder, overwrite=overwrite, on_progress=advance, should_stop=should_stop)
        except StoppedError:
            raise KeyboardInterrupt(f"stopped; clips that were complete are in {folder}") from None


def _clip_values(clip: "CutClip") -> dict[str, Any]:
    return {
        "path": str(clip.path),
        "source": str(clip.moment.source.path),
        "start_seconds": clip.start_seconds,
        "stop_seconds": clip.stop_seconds,
        "picture": clip.picture,
        "picture_reason": clip.picture_reason,
        "sound": clip.sound,
        "sound_reason": clip.sound_reason,
    }
