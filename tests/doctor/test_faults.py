"""Faults planted in clips: each is named, and healthy clips are called healthy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor import FAULTS, ExaminedModel, ExamineOptions, Finding, check_ready, examine
from cavmae_sync.doctor.dataset import check_frames, check_substitutes
from cavmae_sync.doctor.diagnosis import num_encodings
from cavmae_sync.doctor.fault_probe import FaultProbe, _paired_seconds, checked_frames
from cavmae_sync.doctor.pairs import check_faults, check_matched, check_shuffled, check_within
from cavmae_sync.doctor.weights import check_trained
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.embedder import VisualEmbedding
from cavmae_sync.errors import ConfigError
from cavmae_sync.paper import SPECTROGRAM_MEAN, SPECTROGRAM_STD
from cavmae_sync.tasks import untrained

from .planted import SPOILT, RawClip, change_log_mel

SEEMS = {fault.name: fault.seems for fault in FAULTS}


Write = Callable[[list[RawClip]], PreparedDataset]


def faults_found(examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    return check_faults(FaultProbe(examined.embedder, clips))


@pytest.fixture(scope="module")
def healthy(examined: ExaminedModel, healthy_clips: PreparedDataset) -> FaultProbe:
    return FaultProbe(examined.embedder, healthy_clips)


class TestHealthyClips:
    def test_no_fault_is_named_and_progress_foresees_the_parts(
        self, examined: ExaminedModel, healthy: FaultProbe
    ):
        assert check_faults(healthy).status == "ok"
        parts = num_encodings(examined.model, healthy.num_frames)
        assert 0.8 * parts <= healthy.num_encoded <= parts

    def test_pairs_belong_together_and_foreign_ones_are_at_chance(self, healthy: FaultProbe):
        for check in (check_matched, check_shuffled, check_within):
            assert check(healthy).status == "ok"

    def test_frames_are_in_order_and_all_there(self, examined: ExaminedModel, healthy_clips: PreparedDataset):
        assert {finding.status for finding in check_frames(examined, healthy_clips)} == {"ok"}


@pytest.mark.parametrize(
    "name",
    [
        "pictures_not_normalised",
        pytest.param("rate_44100_read_as_16000", marks=pytest.mark.long),
        pytest.param("frames_reversed", marks=pytest.mark.long),
        pytest.param("first_frames_only", marks=pytest.mark.long),
        "sound_of_next_clip",
    ],
)
def test_a_planted_fault_is_named(
    name: str, examined: ExaminedModel, raw_clips: list[RawClip], written: Write
):
    found = faults_found(examined, written(SPOILT[name](raw_clips)))
    assert found.status == "FAIL"
    assert found.measured.startswith(SEEMS[name])
    assert found.advice


@pytest.mark.long
def test_swapped_colours_are_named(examined: ExaminedModel, many_raw_clips: list[RawClip], written: Write):
    found = faults_found(examined, written(SPOILT["colours_swapped"](many_raw_clips)))
    assert found.status == "FAIL"
    assert found.measured.startswith(SEEMS["colours_swapped"])


def twice(log_mel_NM: NDArray[np.float32]) -> NDArray[np.float32]:
    """What, normalised, is divided by twice the deviation."""
    return (log_mel_NM - SPECTROGRAM_MEAN) / 2 + SPECTROGRAM_MEAN


def raw(log_mel_NM: NDArray[np.float32]) -> NDArray[np.float32]:
    """What, normalised, is not."""
    return log_mel_NM * SPECTROGRAM_STD + SPECTROGRAM_MEAN


@pytest.mark.parametrize(
    ("name", "change"), [("twice_the_deviation", twice), ("spectrogram_not_normalised", raw)]
)
def test_a_spectrogram_on_another_scale_is_named(
    name: str,
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    examined: ExaminedModel,
    raw_clips: list[RawClip],
    written: Write,
):
    folder = written(raw_clips).folder
    change_log_mel(folder, change)
    found = faults_found(examined, PreparedDataset.open(folder))
    assert found.status == "FAIL"
    assert found.measured.startswith(SEEMS[name])


@pytest.mark.parametrize(
    ("name", "check", "says"),
    [
        ("frames_shuffled", "frame order", "shuffled"),
        ("frames_filled_up", "copied frames", "filled up to 8"),
    ],
)
def test_faults_that_frames_alone_show(
    name: str, check: str, says: str, examined: ExaminedModel, raw_clips: list[RawClip], written: Write
):
    found = {each.check: each for each in check_frames(examined, written(SPOILT[name](raw_clips)))}
    assert found[check].status == "FAIL"
    assert says in found[check].measured


def test_the_order_of_frames_far_apart_is_not_judged(
    examined: ExaminedModel, raw_clips: list[RawClip], written: Write
):
    """Neighbours a second apart need not look alike in a healthy dataset either."""
    sparse = [
        replace(clip, frames_THWC=clip.frames_THWC[::2]) for clip in SPOILT["frames_shuffled"](raw_clips)
    ]
    found = {each.check: each for each in check_frames(examined, written(sparse))}["frame order"]
    assert found.status == "note"
    assert "1.3 s apart, allow no claim" in found.measured


def test_clips_put_in_the_place_of_others_give_no_score(
    examined: ExaminedModel, raw_clips: list[RawClip], healthy_clips: PreparedDataset, written: Write
):
    assert check_substitutes(examined, healthy_clips).status == "ok"
    substituted = written(SPOILT["substituted"](raw_clips))
    found = check_substitutes(examined, substituted)
    assert found.status == "FAIL"
    assert found.measured.startswith("5 of 48 clips have one colour and constant sound")
    with pytest.raises(ConfigError, match=r"no score, because a check fails\. substitutions: 5 of 48"):
        check_ready(examined, substituted)
    one = substituted.head(9)  # one black and silent recording may be what it is
    assert check_substitutes(examined, one).status == "note"


class TestUntrainedModel:
    def test_it_tells_nothing_and_no_fault_is_blamed(
        self, examined: ExaminedModel, healthy_clips: PreparedDataset
    ):
        fault_probe = FaultProbe(untrained(examined.embedder), healthy_clips)
        assert check_matched(fault_probe).status == "FAIL"
        assert check_faults(fault_probe).status == "ok"

    def test_it_is_told_without_clips_and_given_no_score(self, examined: ExaminedModel):
        fresh = replace(examined, embedder=untrained(examined.embedder))
        assert check_trained(examined).status == "ok"
        assert check_trained(fresh).status == "FAIL"
        with pytest.raises(ConfigError, match=r"no score.*trained: all \d+ layer norms"):
            check_ready(fresh, None)


class Placed(Embedder):
    """Vectors that tell their place in the batch as well as what they are of."""

    def embed_segments(self, segments_PLM: torch.Tensor) -> torch.Tensor:
        return self._placed(super().embed_segments(segments_PLM))

    def embed_frames(self, frames_PCHW: torch.Tensor, *, with_patches: bool = False) -> VisualEmbedding:
        found = super().embed_frames(frames_PCHW, with_patches=with_patches)
        return replace(found, visual_PD=self._placed(found.visual_PD))

    def _placed(self, vectors_PD: torch.Tensor) -> torch.Tensor:
        places_PD = torch.randn(vectors_PD.shape, generator=torch.Generator().manual_seed(0))
        return F.normalize(vectors_PD + 0.1 * places_PD, dim=-1)


def test_vectors_that_tell_their_place_make_shuffled_pairs_agree(
    examined: ExaminedModel, healthy_clips: PreparedDataset
):
    leaking = FaultProbe(Placed(examined.model, device="cpu"), healthy_clips)
    assert check_matched(leaking).status == "ok"
    assert check_shuffled(leaking).status == "FAIL"


def test_few_clips_allow_no_claim(examined: ExaminedModel, healthy_clips: PreparedDataset):
    fault_probe = FaultProbe(examined.embedder, healthy_clips.head(10))
    for check in (check_matched, check_shuffled, check_within, check_faults):
        found = check(fault_probe)
        assert found.status == "unknown"
        assert "10 clips" in found.measured


@pytest.mark.parametrize(("available", "num_clips"), [(13, 12), (13, 3), (5, 9)])
def test_as_many_clips_are_read_as_were_asked_for(
    available: int, num_clips: int, examined: ExaminedModel, healthy_clips: PreparedDataset
):
    options = ExamineOptions(clips=healthy_clips.head(available), num_clips=num_clips, seed=1)
    assert examine(examined, options).num_clips == min(available, num_clips)


@pytest.mark.parametrize(("times", "parts"), [(1, 1), (2, 1), (16, 10), (1, 2)])
def test_times_of_frames_that_are_paired_with_the_sound_elsewhere(times: int, parts: int):
    """Frame i is paired with the sound at times / parts of its own time."""
    seconds_T = np.array([0.0, 0.5, 2.0, 3.0])
    paired = _paired_seconds(seconds_T, times, parts)
    assert len(paired) == 4 * parts
    for frame in range(4):
        if frame * times < len(paired):
            assert paired[frame * times] == pytest.approx(seconds_T[frame] * times / parts)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 4, 5, 8, 10, 16])
def test_checked_frames_are_symmetric_in_time(num_frames: int):
    frames = checked_frames(num_frames)
    assert list(frames) == sorted({num_frames - 1 - frame for frame in frames})
    assert 0 <= frames[0] <= frames[-1] < num_frames
