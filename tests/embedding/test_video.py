import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder, embed_video
from cavmae_sync.embedding.video import alignment_of, video_inputs
from cavmae_sync.errors import ClipTooShortError
from cavmae_sync.inputs import InputConfig, model_input
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig


@pytest.fixture
def embedder() -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16),
        width=16,
        depth=1,
        heads=2,
        registers=1,
        decoder=DecoderConfig(width=8, depth=1, heads=2),
    )
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")


def write_noise(path, *, seconds):
    generator = np.random.default_rng(0)
    write_video(
        path,
        generator.integers(0, 256, (round(seconds * 10), 16, 16, 3), dtype=np.uint8),
        frames_per_second=10,
        waveform_S=generator.uniform(-0.3, 0.3, round(seconds * 16000)).astype(np.float32),
    )


def test_a_file_becomes_clips_one_after_the_other_and_the_last_is_what_is_left(tmp_path, embedder):
    write_noise(tmp_path / "v.mp4", seconds=5)
    parts = list(embed_video(embedder, tmp_path / "v.mp4", clip_seconds=2, num_frames=4))
    assert [part.clip.start_seconds for part in parts] == [0, 2, 4]
    assert [part.embedding.start_seconds for part in parts] == [0, 2, 4]
    assert [part.clip.duration_seconds for part in parts] == pytest.approx([2, 2, 1])
    assert parts[0].embedding.visual_patches_TND is None


def test_sound_of_a_short_clip_is_spread_over_the_clip_and_not_over_ten_seconds(tmp_path, embedder):
    """At "padded" alignment the last frames of a 2 s clip would hear nothing but padding."""
    write_noise(tmp_path / "v.mp4", seconds=2)
    (part,) = embed_video(embedder, tmp_path / "v.mp4", num_frames=4)
    assert part.inputs.segments_TLM[-1].std() > 0.1


def test_a_centred_model_keeps_its_alignment_whatever_the_length(tmp_path):
    config = InputConfig(frame_pixels=16, segment_length=16, alignment="centered")
    for seconds in (1.0, 9.0, 10.0, 30.0):
        assert alignment_of(seconds, config) is config
    assert alignment_of(2.0, config.model_copy(update={"alignment": "padded"})).alignment == "valid"
    write_noise(tmp_path / "v.mp4", seconds=2)
    ((clip, inputs),) = video_inputs(config, tmp_path / "v.mp4", num_frames=4)
    assert torch.equal(inputs.segments_TLM, model_input(clip, config).segments_TLM)


def test_vectors_are_those_of_the_embedder(tmp_path, embedder):
    write_noise(tmp_path / "v.mp4", seconds=10)
    (part,) = embed_video(embedder, tmp_path / "v.mp4", with_patches=True)
    alone = embedder.embed(part.clip, with_patches=True)
    assert torch.equal(part.embedding.audio_TD, alone.audio_TD)
    assert alone.visual_patches_TND is not None
    assert part.embedding.visual_patches_TND is not None
    assert torch.equal(part.embedding.visual_patches_TND, alone.visual_patches_TND)


def test_a_file_without_a_second_of_picture_is_refused(tmp_path, embedder):
    write_noise(tmp_path / "v.mp4", seconds=0.5)
    with pytest.raises(ClipTooShortError, match=r"v\.mp4"):
        list(embed_video(embedder, tmp_path / "v.mp4"))
