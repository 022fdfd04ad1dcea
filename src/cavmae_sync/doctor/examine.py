"""Examination of a model: every check in order, and the cheap checks before every score."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from cavmae_sync.data import ClipDataset, PreparedDataset
from cavmae_sync.doctor.behaviour import check_behaviour, check_inputs
from cavmae_sync.doctor.dataset import (
    check_alignment,
    check_frames,
    check_num_frames,
    check_sound,
    check_substitutes,
    check_times,
)
from cavmae_sync.doctor.diagnosis import num_encodings
from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.fault_probe import FaultProbe
from cavmae_sync.doctor.installation import check_decoder, check_known_vectors
from cavmae_sync.doctor.pairs import check_faults, check_matched, check_shuffled, check_within
from cavmae_sync.doctor.pipeline_vectors import check_pipeline_vectors
from cavmae_sync.doctor.report import DoctorReport, Finding
from cavmae_sync.doctor.weights import check_constants, check_file, check_finite, check_layout, check_trained
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import ModelInput
from cavmae_sync.weights import weights_fingerprint

#: Default number of clips to read: enough to see a mild fault such as swapped colours.
NUM_CLIPS: Final = 100

_Check = Callable[[], Finding | list[Finding]]

#: Neighbouring clips that are drawn together.
_RUN: Final = 10
#: Clips whose times are checked before a score.
_READY_ROWS: Final = 50

#: Checks that end the examination when they fail: after them all others would fail for the same reason.
_STOPS: Final = frozenset({"finite weights", "finite vectors"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamineOptions:
    """Data to examine beside the weights.

    Attributes:
        clips: A prepared dataset, or None.
        num_clips: Number of its clips to draw at random.
        seed: Seed of the draw and of the permutations.
        embeddings: Vectors of the package's clip from another program, or None.
    """

    clips: PreparedDataset | None = None
    num_clips: int = NUM_CLIPS
    seed: int = 0
    embeddings: DatasetEmbeddings | None = None


def examine(
    examined: ExaminedModel, options: ExamineOptions | None = None, *, on_progress: OnProgress | None = None
) -> DoctorReport:
    """Report of all checks.

    Args:
        examined: The model, opened by `open_examined_model`.
        options: Data and vectors to examine too.
        on_progress: Called with encodings done and all encodings.
    """
    options = options or ExamineOptions()
    began = time.monotonic()
    clips = _drawn(options)
    findings: list[Finding] = []
    for check in _checks(examined, options, clips, on_progress):
        found = check()
        findings += [found] if isinstance(found, Finding) else found
        if any(finding.status == "FAIL" and finding.check in _STOPS for finding in findings):
            break
    where = f" on {options.clips.folder}" if options.clips is not None else ""
    return DoctorReport(
        findings=tuple(findings),
        subject=f"{examined.path}{where}",
        weights=weights_fingerprint(examined.model),
        num_clips=0 if clips is None else len(clips),
        seconds=time.monotonic() - began,
    )


def check_ready(examined: ExaminedModel, clips: PreparedDataset | None) -> None:
    """Raise if one of the cheap checks fails: structure, constants, frames, substitutes, vectors.

    Every command that gives a score calls it first.

    Args:
        examined: The model, opened by `open_examined_model`.
        clips: Clips that it will be measured on; None where they are no prepared dataset.

    Raises:
        ConfigError: A check fails, so that a score would not be what it says.
    """
    checks: list[_Check] = [
        lambda: check_constants(examined),
        lambda: check_layout(examined),
        lambda: check_finite(examined),
        lambda: check_trained(examined),
    ]
    if clips is not None and len(clips) > 0:
        checks += [
            lambda: check_num_frames(examined, clips),
            lambda: check_times(examined, clips.head(_READY_ROWS)),
            lambda: check_substitutes(examined, clips),
            lambda: check_inputs(examined, _first_inputs(examined, clips), of=clips.folder.name),
        ]
    for check in checks:
        found = check()
        for finding in [found] if isinstance(found, Finding) else found:
            if finding.status == "FAIL":
                on = "" if clips is None else f" --data {clips.folder}"
                raise ConfigError(
                    f"no score, because a check fails. {finding.check}: {finding.text()}. "
                    f"All checks: cavmae-sync doctor {examined.path}{on}"
                )


def _first_inputs(examined: ExaminedModel, clips: PreparedDataset) -> ModelInput:
    """One frame and segment of each of two clips, or two of a single clip."""
    dataset = ClipDataset(clips, inputs=examined.model.config.inputs)
    first = dataset[0]
    if len(clips) == 1:
        return ModelInput(frames_TCHW=first.normalized_frames()[:2], segments_TLM=first.segments_PLM[:2])
    both = [first, dataset[len(clips) - 1]]
    return ModelInput(
        frames_TCHW=torch.cat([batch.normalized_frames()[:1] for batch in both]),
        segments_TLM=torch.cat([batch.segments_PLM[:1] for batch in both]),
    )


def _drawn(options: ExamineOptions) -> PreparedDataset | None:
    """Random clips in runs of neighbours: a sound shifted to the next clip shows only among neighbours."""
    clips, wanted = options.clips, options.num_clips
    if clips is None:
        return None
    if len(clips) == 0:
        raise ConfigError(f"{clips.folder} has no clips to examine. Give another dataset.")
    if len(clips) <= wanted:
        return clips
    starts = np.random.default_rng(options.seed).permutation(np.arange(0, len(clips), _RUN))
    runs = (starts[:, None] + np.arange(_RUN)).flatten()
    return clips.subset(np.sort(runs[runs < len(clips)][:wanted]))


def _checks(
    examined: ExaminedModel,
    options: ExamineOptions,
    clips: PreparedDataset | None,
    on_progress: OnProgress | None,
) -> list[_Check]:
    of_weights: list[_Check] = [
        lambda: check_file(examined),
        lambda: check_layout(examined),
        lambda: check_finite(examined),
        lambda: check_trained(examined),
        lambda: check_constants(examined),
        lambda: check_decoder(examined),
        lambda: check_behaviour(examined),
        lambda: check_known_vectors(examined),
    ]
    embeddings = options.embeddings
    if embeddings is not None:
        of_weights.append(lambda: check_pipeline_vectors(examined, embeddings))
    if clips is None:
        none = Finding(check="data", status="skipped", measured="no dataset given; add --data DATASET")
        return [*of_weights, lambda: none]
    return of_weights + _checks_of_data(examined, clips, options.seed, on_progress)


def _checks_of_data(
    examined: ExaminedModel, clips: PreparedDataset, seed: int, on_progress: OnProgress | None
) -> list[_Check]:
    total = num_encodings(examined.model, clips.num_frames)
    done = 0

    def on_encoded() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(min(done, total), total)

    fault_probe = FaultProbe(examined.embedder, clips, on_encoded=on_encoded)
    return [
        lambda: check_sound(examined, clips),
        lambda: check_num_frames(examined, clips),
        lambda: check_times(examined, clips),
        lambda: check_alignment(examined, clips),
        lambda: check_substitutes(examined, clips),
        lambda: check_frames(examined, clips),
        lambda: check_matched(fault_probe, seed=seed),
        lambda: check_shuffled(fault_probe, seed=seed),
        lambda: check_within(fault_probe),
        lambda: check_faults(fault_probe),
    ]
