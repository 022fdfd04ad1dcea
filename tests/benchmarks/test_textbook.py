"""The textbook versions are the same mathematics as the package: an independent second implementation."""

import numpy as np
import pytest
import torch

from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose
from cavmae_sync.embedding import similarity_matrix
from cavmae_sync.inputs import InputConfig, cut_segments, log_mel, normalize_frames, resize_and_crop
from cavmae_sync.losses import ContrastConfig, LossConfig, gather_nothing
from cavmae_sync.media import read_clip, write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.tasks.retrieval.matches import find_matches
from cavmae_sync.training import OptimConfig, PretrainConfig
from cavmae_sync.training.masks import MaskSampler
from cavmae_sync.training.optim import Updater
from cavmae_sync.training.step import PretrainStep

from benchmarks.textbook import similarity, spectrogram, training, video  # isort: skip
from benchmarks.textbook.model import TextbookModel, clip_features  # isort: skip

PAIRS = 4


@pytest.fixture
def config() -> PretrainConfig:
    return PretrainConfig(
        model=ModelConfig(
            inputs=InputConfig(frame_pixels=32, segment_length=32),
            width=32, depth=2, heads=4, registers=3,
            decoder=DecoderConfig(width=16, depth=2, heads=2),
        ),
        losses=LossConfig(contrast=ContrastConfig(negatives="local", direction="both")),
        optim=OptimConfig(learning_rate=1e-3),
    )  # fmt: skip


@pytest.fixture
def model(config) -> CAVMAESync:
    return CAVMAESync(config.model, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    segments = torch.randn(PAIRS, 32, 128, generator=generator, dtype=torch.float64)
    frames = torch.randn(PAIRS, 3, 32, 32, generator=generator, dtype=torch.float64)
    return segments, frames


def test_features_are_those_of_the_model(model, inputs):
    segments, frames = inputs
    audio, visual = clip_features(TextbookModel.like(model), frames, segments)
    encoded = model.encode(segments, frames)
    for own, theirs in ((audio, encoded.audio), (visual, encoded.visual)):
        expected = torch.nn.functional.normalize(theirs.global_token_PD, dim=-1)
        assert torch.allclose(own, expected, atol=1e-12)


def test_one_training_step_gives_the_same_loss_and_the_same_weights(model, config, inputs):
    segments, frames = inputs
    masks = MaskSampler(config.model, config.masking, seed=0, purpose=Purpose.MASK).draw(
        [Draw(0, index) for index in range(PAIRS)]
    )
    textbook = TextbookModel.like(model)
    loss = training.step(
        textbook,
        training.plain_adam(textbook, config),
        segments,
        frames,
        audio_keep=masks.audio.keep_PK,
        visual_keep=masks.visual.keep_PK,
        config=config,
    )
    step = PretrainStep(model, config.losses, precision="float32", gather=gather_nothing)
    updater = Updater(model.parameters(), config.optim, precision="float32")
    total = step(segments, frames, masks).total
    updater.backward(total)
    updater.update(learning_rate=config.optim.learning_rate)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    expected = model.state_dict()
    for name, weights in textbook.state_dict().items():
        # Where a gradient is zero up to rounding, Adam divides rounding by rounding.
        assert (weights - expected[name]).abs().median() < 1e-9, name


def test_a_model_it_does_not_know_is_refused(config):
    plain = CAVMAESync(config.model.model_copy(update={"global_token": False}))
    with pytest.raises(ValueError, match="published configuration"):
        TextbookModel.like(plain)


def test_segments_are_those_of_the_package():
    random = np.random.default_rng(0)
    waveform = random.uniform(-0.5, 0.5, 160_000).astype(np.float32)
    config = InputConfig()
    own = spectrogram.segments(
        waveform,
        num_frames=16,
        length=config.segment_length,
        mean=config.spectrogram_mean,
        std=config.spectrogram_std,
    )
    expected = cut_segments(log_mel(waveform), frame_seconds=range(16), config=config)
    assert np.abs(own - expected.numpy()).max() < 1e-3


@pytest.mark.parametrize("aggregation", ["diagonal_mean", "diagonal_max", "block_mean", "block_max"])
def test_scores_and_ranks_are_those_of_the_package(aggregation):
    generator = torch.Generator().manual_seed(0)
    audio, visual = (
        torch.nn.functional.normalize(torch.randn(7, 3, 8, generator=generator), dim=-1) for _ in range(2)
    )
    scores = similarity.scores(audio, visual, aggregation=aggregation)
    assert torch.allclose(scores, similarity_matrix(audio, visual, aggregation=aggregation), atol=1e-6)
    ranks = find_matches(audio, visual, aggregation=aggregation).ranks("mean")
    assert similarity.ranks(scores).tolist() == ranks["audio_to_visual"].tolist()
    assert similarity.ranks(scores.T).tolist() == ranks["visual_to_audio"].tolist()


def test_seeking_finds_the_pictures_of_one_pass(tmp_path):
    random = np.random.default_rng(0)
    canvas = random.integers(0, 256, (12, 20, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    pictures = [np.ascontiguousarray(canvas[:64, 2 * index : 2 * index + 96]) for index in range(30)]
    write_video(
        tmp_path / "a.mp4", pictures, frames_per_second=10, waveform_S=np.zeros(48_000, dtype=np.float32)
    )
    clip = read_clip(tmp_path / "a.mp4", num_frames=5)
    assert (video.frames_by_seeking(tmp_path / "a.mp4", clip.frame_seconds_T) == clip.frames_THWC).all()
    assert len(video.all_frames(tmp_path / "a.mp4")[0]) == 30
    own = np.stack([video.normalized(video.square(frame, pixels=32)) for frame in clip.frames_THWC])
    expected = normalize_frames(resize_and_crop(clip.frames_THWC, pixels=32))
    assert np.abs(own - expected.numpy()).max() < 3 / 255 / 0.224  # two grey levels
