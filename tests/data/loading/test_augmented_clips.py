"""Whole clips changed at random: everything that is switched on really happens."""

import pytest
import torch

from cavmae_sync.data import Batch, ClipDataset, Draw, PreparedDataset
from cavmae_sync.data.loading.augmented_clips import AugmentedClipDataset
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel
from cavmae_sync.inputs.augment import AugmentConfig
from cavmae_sync.inputs.mixup import mix_waveforms

INPUTS = InputConfig(frame_pixels=32, segment_length=32, alignment="valid")
PADDING = (0.0 - INPUTS.spectrogram_mean) / INPUTS.spectrogram_std


def changed(prepared: PreparedDataset, seed: int = 0, **switched_on) -> AugmentedClipDataset:
    return AugmentedClipDataset(prepared, inputs=INPUTS, seed=seed, augment=AugmentConfig(**switched_on))


@pytest.fixture
def plain(prepared: PreparedDataset) -> Batch:
    return ClipDataset(prepared, inputs=INPUTS)[2]


def test_all_off_is_the_clip_as_it_is(prepared: PreparedDataset, plain: Batch):
    batch = changed(prepared)[Draw(4, 2)]
    assert torch.equal(batch.segments_PLM, plain.segments_PLM)
    assert torch.equal(batch.frames_PHWC, plain.frames_PHWC)


@pytest.mark.parametrize(
    ("switched_on", "changes_sound", "changes_picture"),
    [
        ({"frequency_mask_bins": 48}, True, False),
        ({"time_mask_length": 60}, True, False),
        ({"noise_amplitude": 0.1}, True, False),
        ({"rolls_time": True}, True, False),
        ({"center_jitter": 20}, True, False),
        ({"crops_frames": True}, False, True),
        ({"flip_probability": 1.0}, False, True),
        ({"mixup_probability": 1.0}, True, True),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_switch_acts_and_only_where_it_should(
    prepared: PreparedDataset, plain: Batch, switched_on, changes_sound, changes_picture
):
    batch = changed(prepared, seed=1, **switched_on)[Draw(0, 2)]
    assert torch.equal(batch.segments_PLM, plain.segments_PLM) != changes_sound
    assert torch.equal(batch.normalized_frames(), plain.normalized_frames()) != changes_picture
    assert batch.segments_PLM.isfinite().all()
    assert batch.normalized_frames().isfinite().all()


def test_a_mask_hides_the_same_bins_in_every_segment(prepared: PreparedDataset):
    batch = changed(prepared, frequency_mask_bins=48)[Draw(0, 1)]
    is_hidden_PM = ((batch.segments_PLM - PADDING).abs() < 1e-5).all(dim=1)
    assert 0 < int(is_hidden_PM[0].sum()) < 48
    assert (is_hidden_PM == is_hidden_PM[0]).all()


def test_a_padded_clip_is_changed_with_its_padding(prepared: PreparedDataset):
    """As in CAV-MAE: the whole of 1024 rows is rotated by -1024 to 1023, noise lies on all of it."""
    inputs = InputConfig(frame_pixels=32, segment_length=1024)
    whole_LM = ClipDataset(prepared, inputs=inputs)[2].segments_PLM[0]
    num_rows = prepared.num_spectrogram_frames(2)
    assert num_rows < 1024

    rolled = AugmentedClipDataset(prepared, inputs=inputs, seed=0, augment=AugmentConfig(rolls_time=True))
    starts = set()
    for epoch in range(20):
        rolled_LM = rolled[Draw(epoch, 2)].segments_PLM[0]
        start = int((rolled_LM == whole_LM[0]).all(dim=1).nonzero()[0])
        torch.testing.assert_close(rolled_LM, whole_LM.roll(start, dims=0))
        starts.add(start // 256)
    assert starts == {0, 1, 2, 3}

    noisy = AugmentedClipDataset(prepared, inputs=inputs, seed=0, augment=AugmentConfig(noise_amplitude=0.1))
    noise_LM = noisy[Draw(0, 2)].segments_PLM[0] - whole_LM
    strongest = float(noise_LM.max())
    assert 0.0 < strongest < 0.1
    for part in (noise_LM[:num_rows], noise_LM[num_rows:]):  # the sound and its padding
        assert float(part.min()) > -1e-5
        assert float(part.mean()) == pytest.approx(strongest / 2, rel=0.05)


def test_a_mirrored_clip_by_hand(prepared: PreparedDataset, plain: Batch):
    batch = changed(prepared, flip_probability=1.0)[Draw(0, 2)]
    assert torch.equal(batch.frames_PHWC, plain.frames_PHWC.flip(2))


def test_a_mixture_by_hand(prepared: PreparedDataset):
    """Waveforms are mixed, not spectrograms; frames are mixed one by one; `mixing` tells with whom."""
    dataset = changed(prepared, mixup_probability=1.0)
    draw = Draw(3, 5)
    mixture = dataset.mixing.mixture_of(draw)
    assert mixture is not None
    sounds = [torch.from_numpy(prepared.read_waveform(row)) for row in (5, mixture.partner)]
    segments_PLM = cut_segments(
        log_mel(mix_waveforms(*sounds, weight=mixture.weight)),
        frame_seconds=prepared.frame_seconds(5),
        config=INPUTS,
    )
    whole = ClipDataset(prepared, inputs=INPUTS)
    frames = [whole[row].normalized_frames() for row in (5, mixture.partner)]
    batch = dataset[draw]
    torch.testing.assert_close(batch.segments_PLM, segments_PLM)
    expected = mixture.weight * frames[0] + (1 - mixture.weight) * frames[1]
    torch.testing.assert_close(batch.normalized_frames(), expected)


def test_the_draw_decides(prepared: PreparedDataset):
    dataset = changed(prepared, frequency_mask_bins=48, rolls_time=True)
    first = dataset[Draw(1, 3)].segments_PLM
    assert torch.equal(first, dataset[Draw(1, 3)].segments_PLM)
    for other in (Draw(2, 3), Draw(1, 3, 1)):
        assert not torch.equal(first, dataset[other].segments_PLM)
