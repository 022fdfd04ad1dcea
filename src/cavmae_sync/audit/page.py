"""HTML page of an audit: numbers of clips by state, and pairs of the same clip to judge by eye."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cavmae_sync.audit.duplicates import DuplicatePair
from cavmae_sync.audit.facts import ClipFacts
from cavmae_sync.audit.figures import Thumbnail, classes_figure, counts_figure, pairs_figure
from cavmae_sync.audit.report import MEANING, AuditReport
from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.preparing.sources import list_sources
from cavmae_sync.data.storage.tables import DATASET_FILE
from cavmae_sync.errors import MediaError
from cavmae_sync.figures.page import Section, write_page
from cavmae_sync.inputs import log_mel, resize_and_crop
from cavmae_sync.media import read_clip

_MOST_PAIRS: Final = 24
_MOST_ROWS: Final = 60
_NUM_FRAMES: Final = 16
_FRAME_PIXELS: Final = 160


def write_audit_page(report: AuditReport, path: Path) -> None:
    """Write the page as one HTML file. Clips of pairs are read again; the least certain pairs come first."""
    audit = report.audit
    pair_text = "Left and right should be the same clip. If they are not, keep both: --keep duplicate."
    sections = [_counts(report)]
    by_class = report.available_by_class()
    if by_class:
        sections.append(
            Section(
                title="Classes",
                paragraphs=[
                    f"{sum(not kept for kept, _ in by_class.values())} of {len(by_class)} classes have no "
                    "available clip. The classes with the smallest fractions:"
                ],
                figures=[(classes_figure(by_class), "available clips by class")],
            )
        )
    if audit.pairs:
        sections.append(_pairs("Duplicate clips", pair_text, audit.pairs, report, same_source=True))
    if report.against is not None:
        text = f"Clips that are also in {report.against} (right). Test clips must not be training clips."
        sections.append(
            _pairs(
                "Clips that are also in the other dataset", text, report.overlap, report, same_source=False
            )
        )
    wrong = [clip for clip in audit.expected if clip.state != "ok"]
    if wrong:
        sections.append(
            Section(
                title="What is wrong, clip by clip",
                paragraphs=[
                    f"The first {min(len(wrong), _MOST_ROWS)} of {len(wrong)}; all are in audit.csv."
                ],
                header=("clip", "state", "details"),
                rows=[(clip.id, clip.state, clip.details[:120]) for clip in wrong[:_MOST_ROWS]],
            )
        )
    write_page(
        path,
        title="Available clips",
        lead=". ".join(report.caption()) + ".",
        sections=sections,
        footer=f"Made by cavmae-sync audit of {report.inventory.root}.",
    )


def _counts(report: AuditReport) -> Section:
    counts, having = report.counts(), report.audit.with_problem()
    total = max(len(report.audit.expected), 1)
    return Section(
        title="Clips by state",
        paragraphs=[
            'A clip with several problems counts as the first of them in this order. The column "with it" '
            "counts every clip that has the problem."
        ],
        header=("state", "clips", "of all", "with it", "meaning"),
        rows=[
            (state, str(n), f"{n / total:.1%}", str(having[state]), MEANING[state])
            for state, n in counts.items()
        ],
        figures=[(counts_figure({**counts}), "clips by state")],
    )


def _pairs(
    title: str, text: str, pairs: Sequence[DuplicatePair], report: AuditReport, *, same_source: bool
) -> Section:
    clips = report.audit.clips
    others = clips if same_source else report.other
    other_root = report.inventory.root if same_source else Path(str(report.against))
    # The least certain first: a person should judge these.
    by_doubt = sorted(pairs, key=lambda pair: ("file" in pair.same, len(pair.same), _surest(pair)))
    if not pairs:
        return Section(title=title, paragraphs=[text, "There are none."])
    shown = []
    for pair in by_doubt[:_MOST_PAIRS]:
        clip, twin = clips[pair.first], others[pair.second]
        middle = min(clip.duration_seconds, twin.duration_seconds) / 2
        one = _thumbnail(clip, report.inventory.root, at_seconds=middle)
        other = _thumbnail(twin, other_root, at_seconds=middle)
        if one is not None and other is not None:
            shown.append((one, other, _how(pair)))
    note = (
        f"Pairs: {len(pairs)}. Shown, the least certain first: {len(shown)}, each as frame and spectrogram."
    )
    pictures = [(pairs_figure(shown), title)] if shown else []
    return Section(title=title, paragraphs=[text, note], figures=pictures)


def _surest(pair: DuplicatePair) -> float:
    return max(likeness for likeness in (pair.sound, pair.picture, 0.0) if likeness is not None)


def _how(pair: DuplicatePair) -> str:
    lines = ["same file"] if "file" in pair.same else []
    lines += [
        f"{name} {likeness:.2f}"
        for name, likeness in (("sound", pair.sound), ("picture", pair.picture))
        if likeness is not None
    ]
    return "\n".join(lines)


def _thumbnail(clip: ClipFacts, root: Path, *, at_seconds: float) -> Thumbnail | None:
    """Frame of a clip at a time, and its spectrogram, read again; None if it cannot be read any more."""
    if (root / DATASET_FILE).is_file():
        with PreparedDataset.open(root) as dataset:
            index = dataset.clip_ids.index(clip.id)
            times_T = np.array(dataset.row(index).frame_seconds)
            frame_HWC = dataset.read_frame(index, int(np.abs(times_T - at_seconds).argmin()))
            stop = dataset.num_spectrogram_frames(index)
            log_mel_NM = dataset.read_log_mel_rows(index, start=0, stop=stop)
            return Thumbnail(title=clip.id, frame_HWC=frame_HWC, log_mel_NM=log_mel_NM)
    folder = root if root.is_dir() else list_sources(root).root
    try:
        read = read_clip(folder / clip.source, start_seconds=clip.start_seconds, num_frames=_NUM_FRAMES)
    except MediaError:
        return None
    nearest = int(np.abs(read.frame_seconds_T - at_seconds).argmin())
    return Thumbnail(
        title=clip.id,
        frame_HWC=resize_and_crop(read.frames_THWC[nearest : nearest + 1], pixels=_FRAME_PIXELS).numpy()[0],
        log_mel_NM=np.asarray(log_mel(read.waveform_S)),
    )
