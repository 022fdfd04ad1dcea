"""Items and batches: the right frame with the right segment, the same for any number of workers."""

import pickle
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import (
    Batch,
    BatchDraws,
    ClipDataset,
    ClipOrder,
    ClipSampler,
    Draw,
    PairDataset,
    PreparedDataset,
    concatenate,
    make_loader,
)
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, model_input, normalize_frames
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.media import read_clip

INPUTS = InputConfig(frame_pixels=64, segment_length=96)
TENSORS = ("frames_PHWC", "segments_PLM", "clip_index_P", "frame_index_P", "row_B")


def assert_equal(left: Batch, right: Batch) -> None:
    assert (left.clip_ids, left.labels) == (right.clip_ids, right.labels)
    for name in TENSORS:
        assert torch.equal(getattr(left, name), getattr(right, name)), name


def test_a_clip_equals_what_its_file_gives(clips: PreparedDataset, videos: Path) -> None:
    """Straight from the file, without a prepared dataset; they differ by JPEG and float16."""
    clip = read_clip(videos / "b" / "dog.mp4", clip_seconds=2.0, num_frames=4)
    expected = model_input(clip, INPUTS)
    found = ClipDataset(clips, inputs=INPUTS)[1]
    assert (found.segments_PLM - expected.segments_TLM).abs().max() < 0.001
    assert (found.normalized_frames() - expected.frames_TCHW).abs().mean() < 0.05
    assert found.frame_index_P.tolist() == [0, 1, 2, 3]
    assert (found.clip_ids, found.labels) == (("b/dog",), (("bark", "growl"),))


@pytest.mark.parametrize("alignment", ["padded", "valid", "centered"])
@pytest.mark.parametrize("clip", [0, 4])
def test_a_pair_is_one_row_of_its_clip(clips: PreparedDataset, alignment, clip: int) -> None:
    inputs = INPUTS.model_copy(update={"alignment": alignment})
    whole = ClipDataset(clips, inputs=inputs)[clip]
    pairs = PairDataset(clips, inputs=inputs)
    seen = set()
    for epoch in range(12):
        pair = pairs[Draw(epoch, clip)]
        t = int(pair.frame_index_P)
        seen.add(t)
        assert torch.equal(pair.frames_PHWC[0], whole.frames_PHWC[t])
        assert torch.equal(pair.segments_PLM[0], whole.segments_PLM[t])
    assert seen == {0, 1, 2, 3}


def test_several_moments_are_different_rows_of_a_clip(clips: PreparedDataset) -> None:
    """They stand one behind the other, and the first is the one that would be taken alone."""
    one = PairDataset(clips, inputs=INPUTS, seed=5)
    several = PairDataset(clips, inputs=INPUTS, seed=5, moments_per_clip=3)
    draws = [Draw(epoch, clip) for epoch in range(6) for clip in (0, 4)]
    batch, alone = several.__getitems__(draws), one.__getitems__(draws)
    assert batch.clip_index_P.tolist() == [number for number in range(12) for _ in range(3)]
    assert batch.row_B.tolist() == [0, 4] * 6
    frames = batch.frame_index_P.view(12, 3)
    assert torch.equal(frames[:, 0], alone.frame_index_P)
    assert all(len(set(each.tolist())) == 3 for each in frames)
    assert set(frames.flatten().tolist()) == {0, 1, 2, 3}
    for number, draw in enumerate(draws):
        whole = ClipDataset(clips, inputs=INPUTS)[draw.clip]
        rows = slice(3 * number, 3 * number + 3)
        assert torch.equal(batch.frames_PHWC[rows], whole.frames_PHWC[frames[number]])
        assert torch.equal(batch.segments_PLM[rows], whole.segments_PLM[frames[number]])


def test_changes_of_several_moments_are_drawn_for_each(clips: PreparedDataset) -> None:
    changes = AugmentConfig(noise_amplitude=0.1)
    one = PairDataset(clips, inputs=INPUTS, augment=changes)[Draw(1, 2)]
    several = PairDataset(clips, inputs=INPUTS, augment=changes, moments_per_clip=4)[Draw(1, 2)]
    assert torch.equal(several.segments_PLM[0], one.segments_PLM[0])
    plain = PairDataset(clips, inputs=INPUTS, moments_per_clip=4)[Draw(1, 2)]
    noise = several.segments_PLM - plain.segments_PLM
    assert not torch.equal(noise[0], noise[1])


def test_clips_of_a_batch_can_share_their_moments(clips: PreparedDataset) -> None:
    dataset = PairDataset(clips, inputs=INPUTS, seed=5, moments_per_clip=2, shares_moments=True)

    def frames(batch: int, clip_numbers: list[int]) -> list[list[int]]:
        draws = BatchDraws([Draw(0, clip) for clip in clip_numbers], batch=batch, first_place=0)
        return dataset.__getitems__(draws).frame_index_P.view(-1, 2).tolist()

    batches = [frames(number, [0, 2, 4]) for number in range(8)]
    for number, of_clips in enumerate(batches):
        assert of_clips == [of_clips[0]] * 3
        assert len(set(of_clips[0])) == 2
        assert frames(number, [3]) == [of_clips[0]]  # so another process's share has the same ones
    assert len({tuple(of_clips[0]) for of_clips in batches}) > 1


def test_more_moments_than_frames_are_refused(clips: PreparedDataset) -> None:
    with pytest.raises(ConfigError, match=r"moments_per_clip=5, but clips have 4 frames\. Set it to 1 to 4"):
        PairDataset(clips, inputs=INPUTS, moments_per_clip=5)


def test_a_short_clip_is_padded_where_its_sound_ends(clips: PreparedDataset) -> None:
    """A clip of 98 spectrogram frames; "padded" spreads 4 frames over 1024, so only the first has sound."""
    batch = ClipDataset(clips, inputs=InputConfig(frame_pixels=64, segment_length=416))[4]
    padding = (0.0 - INPUTS.spectrogram_mean) / INPUTS.spectrogram_std
    assert torch.all(batch.segments_PLM[0, 98:] == padding)
    assert not torch.any(batch.segments_PLM[0, :98] == padding)
    assert torch.equal(batch.segments_PLM[1, :50], batch.segments_PLM[0, 48:98])
    assert torch.all(batch.segments_PLM[1, 50:] == padding)
    assert torch.all(batch.segments_PLM[2:] == padding)


def test_frames_near_the_start_share_a_segment(clips: PreparedDataset) -> None:
    inputs = InputConfig(frame_pixels=64, segment_length=96, alignment="valid")
    batch = ClipDataset(clips, inputs=inputs)[4]
    assert torch.equal(batch.segments_PLM[0], batch.segments_PLM[1])
    assert not torch.equal(batch.segments_PLM[1], batch.segments_PLM[2])


def test_validation_takes_the_middle_frame(clips: PreparedDataset) -> None:
    pairs = PairDataset(clips, inputs=INPUTS, frame="middle")
    assert [int(pairs[Draw(epoch, 0)].frame_index_P) for epoch in range(5)] == [2] * 5


def test_the_frame_follows_from_seed_epoch_and_clip(clips: PreparedDataset) -> None:
    def frames(seed: int, occurrence: int = 0) -> list[int]:
        pairs = PairDataset(clips, inputs=INPUTS, seed=seed)
        return [int(pairs[Draw(e, c, occurrence)].frame_index_P) for e in range(4) for c in range(8)]

    assert frames(0) == frames(0)
    assert frames(0) != frames(1)
    assert frames(0) != frames(0, occurrence=1)


def test_augmentation_follows_from_the_draw(clips: PreparedDataset) -> None:
    augment = AugmentConfig(center_jitter=20, noise_amplitude=0.1, crops_frames=True, flip_probability=0.5)
    pairs = PairDataset(clips, inputs=INPUTS, seed=5, augment=augment)
    plain = PairDataset(clips, inputs=INPUTS, seed=5)
    assert_equal(pairs[Draw(0, 1)], pairs[Draw(0, 1)])
    assert not torch.equal(pairs[Draw(0, 1)].segments_PLM, plain[Draw(0, 1)].segments_PLM)
    assert not torch.equal(pairs[Draw(0, 1)].frames_PHWC, plain[Draw(0, 1)].frames_PHWC)
    assert pairs[Draw(0, 1)].frame_index_P == plain[Draw(0, 1)].frame_index_P


def test_augmentation_that_is_off_changes_nothing(clips: PreparedDataset) -> None:
    off = PairDataset(clips, inputs=INPUTS, augment=AugmentConfig())
    assert_equal(off[Draw(3, 2)], PairDataset(clips, inputs=INPUTS)[Draw(3, 2)])


def test_what_cannot_be_done_is_refused(clips: PreparedDataset) -> None:
    with pytest.raises(ConfigError, match=r"stores frames of 64 pixels, fewer than inputs\.frame_pixels=224"):
        ClipDataset(clips, inputs=InputConfig())
    with pytest.raises(ConfigError, match=r"mixup_probability=0\.5: .*PairDataset"):
        PairDataset(clips, inputs=INPUTS, augment=AugmentConfig(mixup_probability=0.5))
    with pytest.raises(ConfigError, match="for validation"):
        PairDataset(clips, inputs=INPUTS, frame="middle", augment=AugmentConfig(center_jitter=1))


def test_smaller_frames_are_resized(clips: PreparedDataset) -> None:
    batch = PairDataset(clips, inputs=InputConfig(frame_pixels=32, segment_length=96))[0]
    assert batch.normalized_frames().shape == (1, 3, 32, 32)


def test_batches_join_in_order(clips: PreparedDataset) -> None:
    items = ClipDataset(clips, inputs=INPUTS)
    batch = concatenate([items[5], items[1]])
    assert len(batch) == 8
    assert batch.clip_index_P.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert batch.frame_index_P.tolist() == [0, 1, 2, 3] * 2
    assert (batch.clip_ids, batch.row_B.tolist()) == (("quiet", "b/dog"), [5, 1])
    assert_equal(concatenate([batch]), batch)
    assert torch.equal(batch.to("cpu").frames_PHWC, batch.frames_PHWC)


def test_frames_travel_as_bytes_and_are_normalised_later(clips: PreparedDataset) -> None:
    batch = ClipDataset(clips, inputs=INPUTS)[3]
    expected = normalize_frames(batch.frames_PHWC)
    assert batch.frames_PHWC.dtype == torch.uint8
    assert torch.equal(batch.normalized_frames(), expected)
    assert torch.equal(batch.normalized_frames(slice(1, 3)), expected[1:3])
    mixed = replace(batch, frames_PHWC=expected.permute(0, 2, 3, 1))  # already on the model's scale
    assert torch.equal(mixed.normalized_frames(), expected)


def test_a_batch_arrives_whole_in_another_process(clips: PreparedDataset) -> None:
    batch = PairDataset(clips, inputs=INPUTS).__getitems__([Draw(0, 2), Draw(0, 4)])
    again = pickle.loads(pickle.dumps(batch))
    assert_equal(again, batch)
    again.row_B[0] = 7  # as writable as any tensor


def test_a_batch_checks_its_shapes(clips: PreparedDataset) -> None:
    item = ClipDataset(clips, inputs=INPUTS)[0]
    fields = {name: getattr(item, name) for name in (*TENSORS, "clip_ids", "labels")}
    with pytest.raises(ValueError, match="segments_PLM has 3 rows, but there are 4 pairs"):
        Batch(**fields | {"segments_PLM": item.segments_PLM[:3]})
    with pytest.raises(ValueError, match="2 clip ids, 1 labels and 1 rows"):
        Batch(**fields | {"clip_ids": ("a", "b")})


def test_workers_change_nothing(clips: PreparedDataset) -> None:
    pairs = PairDataset(clips, inputs=INPUTS, seed=1, augment=AugmentConfig(noise_amplitude=0.1))
    sampler = ClipSampler(ClipOrder(len(clips), seed=1), batch_size=3, first_batch=1)
    alone = list(islice(make_loader(pairs, sampler=sampler), 5))
    shared = list(islice(make_loader(pairs, sampler=sampler, num_workers=2), 5))
    for left, right in zip(alone, shared, strict=True):
        assert_equal(left, right)


def test_a_resumed_run_sees_the_same_batches(clips: PreparedDataset) -> None:
    pairs, order = PairDataset(clips, inputs=INPUTS, seed=1), ClipOrder(len(clips), seed=1)
    straight = list(make_loader(pairs, sampler=ClipSampler(order, batch_size=3, stop_batch=6)))
    resumed = list(make_loader(pairs, sampler=ClipSampler(order, batch_size=3, first_batch=3, stop_batch=6)))
    for left, right in zip(straight[3:], resumed, strict=True):
        assert_equal(left, right)


def test_evaluation_reads_in_order_and_drops_nothing(clips: PreparedDataset) -> None:
    loader = make_loader(ClipDataset(clips, inputs=INPUTS), batch_size=3)
    assert [batch.num_clips for batch in loader] == [3, 3, 2]
    assert np.concatenate([batch.row_B.numpy() for batch in loader]).tolist() == list(range(8))
    with pytest.raises(ValueError, match="give either batch_size"):
        make_loader(ClipDataset(clips, inputs=INPUTS))


def test_a_loader_leaves_the_global_generator_alone(clips: PreparedDataset) -> None:
    before = torch.get_rng_state()
    list(make_loader(PairDataset(clips, inputs=INPUTS), batch_size=4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "augment",
    [None, AugmentConfig(center_jitter=20, noise_amplitude=0.1, crops_frames=True, flip_probability=0.5)],
)
@pytest.mark.parametrize("pixels", [64, 48])
def test_a_batch_made_together_is_its_pairs_made_alone(clips: PreparedDataset, augment, pixels: int) -> None:
    """Clip 4 is short: its segment is padded."""
    inputs = InputConfig(frame_pixels=pixels, segment_length=128, alignment="valid")
    pairs = PairDataset(clips, inputs=inputs, seed=3, augment=augment)
    draws = [Draw(2, 4), Draw(2, 0), Draw(3, 4, 1), Draw(0, 7)]
    assert_equal(pairs.__getitems__(draws), concatenate([pairs[draw] for draw in draws]))
