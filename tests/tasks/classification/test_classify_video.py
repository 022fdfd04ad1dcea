"""Classification of video files through a model and a head."""

import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder, embed_video
from cavmae_sync.errors import ClipTooShortError, NoAudioStreamError, NoVideoStreamError, WeightsError
from cavmae_sync.maps import MapConfig, localization_maps, patch_vectors
from cavmae_sync.media import write_video
from cavmae_sync.model.heads import HeadConfig, make_head
from cavmae_sync.tasks.classification.classify_video import classify_video
from cavmae_sync.tasks.classification.features import FeatureConfig, features_of_inputs
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.weights import weights_fingerprint

from ...small_models import small_model

CLASSES = ("drum", "flute", "dog")


@pytest.fixture
def make_probe(embedder: Embedder):
    def make(*, modalities="both", loss="bce", kind="transformer"):
        features = FeatureConfig(modalities=modalities)
        config = HeadConfig(kind=kind, width=features.width(embedder.model.config), num_classes=3)
        head = make_head(config, generator=torch.Generator().manual_seed(0))
        return Probe(
            head=head,
            head_config=config,
            classes=CLASSES,
            features=features,
            loss=loss,
            weights=weights_fingerprint(embedder.model),
        )

    return make


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """2.6 s, in which every frame differs and every tenth sound."""
    generator = np.random.default_rng(0)
    tiles = generator.integers(0, 256, (26, 4, 4, 3), dtype=np.uint8)
    loudness = generator.uniform(0.01, 0.5, 26).repeat(1600)
    write_video(
        tmp_path / "some film.mp4",
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=(generator.uniform(-1, 1, 26 * 1600) * loudness).astype(np.float32),
    )
    return tmp_path / "some film.mp4"


@pytest.mark.parametrize("modalities", ["both", "audio", "visual"])
def test_a_clip_is_judged_by_its_frames_and_a_moment_by_those_around_it_and_its_clip(
    embedder, make_probe, video, modalities
):
    probe = make_probe(modalities=modalities)
    found = classify_video(embedder, probe, video, clip_seconds=1.2, num_frames=4, window_seconds=0.9)
    parts = list(embed_video(embedder, video, clip_seconds=1.2, num_frames=4))
    assert found.clips.stop_seconds_N.tolist() == pytest.approx([1.2, 2.4])  # 0.2 s are left out
    assert len(found.moments.start_seconds_N) == 8
    for n, part in enumerate(parts):
        features_TD = features_of_inputs(embedder, part.inputs, probe.features)
        whole_C = probe.probabilities(features_TD[None])[0]
        assert found.clips.probabilities_NC[n] == pytest.approx(whole_C.numpy(), abs=1e-6)
        seconds = part.clip.frame_seconds_T
        for t in range(4):
            near = [i for i in range(4) if abs(seconds[i] - seconds[t]) <= 0.45]
            repeated = [i for i in near for _ in range(round(4 / len(near)))]
            window_C = probe.probabilities(features_TD[repeated][None])[0]
            expected_C = (window_C * whole_C).sqrt().numpy()
            assert found.moments.probabilities_NC[4 * n + t] == pytest.approx(expected_C, abs=1e-6)


def test_moments_follow_one_another_without_gaps_and_cover_the_clips(embedder, make_probe, video):
    found = classify_video(embedder, make_probe(), video, clip_seconds=1.2, num_frames=4)
    moments, clips = found.moments, found.clips
    assert moments.start_seconds_N[1:] == pytest.approx(moments.stop_seconds_N[:-1])
    assert moments.start_seconds_N[0] == clips.start_seconds_N[0]
    assert moments.stop_seconds_N[-1] == pytest.approx(clips.stop_seconds_N[-1])


@pytest.mark.parametrize("loss", ["bce", "ce"])
def test_a_window_as_long_as_the_clip_says_what_the_clip_says(embedder, make_probe, video, loss):
    found = classify_video(embedder, make_probe(loss=loss), video, num_frames=5, window_seconds=100)
    assert len(found.clips.probabilities_NC) == 1
    for row_C in found.moments.probabilities_NC:
        assert row_C == pytest.approx(found.clips.probabilities_NC[0], abs=1e-6)


def test_where_one_class_is_chosen_probabilities_of_a_moment_sum_to_one(embedder, make_probe, video):
    found = classify_video(embedder, make_probe(loss="ce"), video, clip_seconds=1.2, num_frames=4)
    assert found.moments.probabilities_NC.sum(axis=1) == pytest.approx(1)


def test_progress_ends_at_the_end_and_few_frames_are_kept(embedder, make_probe, video):
    calls = []
    found = classify_video(
        embedder, make_probe(), video, clip_seconds=1.0, num_frames=40, on_progress=lambda *c: calls.append(c)
    )
    assert calls == [(1, 3), (2, 3), (2, 2)]
    assert 16 <= len(found.frames_THWC) <= 32
    assert found.frames_THWC.dtype == np.uint8
    assert np.diff(found.frame_seconds_T).max() < 0.2


def test_another_backbone_is_refused(embedder, make_probe, video):
    probe = make_probe()
    with torch.no_grad():
        next(embedder.model.parameters()).add_(1)
    with pytest.raises(WeightsError, match="The probe was trained on weights"):
        classify_video(embedder, probe, video)


def test_files_without_sound_or_frames_say_what_the_probe_needs(embedder, make_probe, tmp_path):
    mute, voice = tmp_path / "mute.mp4", tmp_path / "voice.wav"
    _write_frames(mute)
    with wave.open(str(voice), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(64000))
    with pytest.raises(NoAudioStreamError, match=r"mute\.mp4.*The probe needs sound and frames"):
        classify_video(embedder, make_probe(), mute)
    with pytest.raises(NoAudioStreamError, match="The probe needs only frames, but"):
        classify_video(embedder, make_probe(modalities="visual"), mute)
    with pytest.raises(NoAudioStreamError, match="The probe needs sound"):
        classify_video(embedder, make_probe(modalities="audio"), mute)
    with pytest.raises(NoVideoStreamError, match=r"voice\.wav.*The probe needs only sound, but"):
        classify_video(embedder, make_probe(modalities="audio"), voice)


def _write_frames(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_what_is_too_short_or_asks_for_nonsense_is_refused(embedder, make_probe, tmp_path):
    short = tmp_path / "short.mp4"
    write_video(
        short,
        np.zeros((3, 16, 16, 3), dtype=np.uint8),
        frames_per_second=10,
        waveform_S=np.zeros(4800, dtype=np.float32),
    )
    with pytest.raises(ClipTooShortError, match=r"short\.mp4 has 0.300 s"):
        classify_video(embedder, make_probe(), short)
    with pytest.raises(ValueError, match="must be positive, got 0"):
        classify_video(embedder, make_probe(), short, window_seconds=0)


def test_maps_are_those_of_the_sound_around_each_kept_frame(make_probe, video):
    embedder = Embedder(small_model(frame_pixels=32), device="cpu")
    probe = replace(make_probe(), weights=weights_fingerprint(embedder.model))
    config = MapConfig(map="masking", num_masks=6, mask_ratio=0.5)
    found = classify_video(embedder, probe, video, maps=config)
    assert found.maps_THW is not None
    assert found.maps_THW.shape == (len(found.frames_THWC), 2, 2)
    (clip,) = embed_video(embedder, video)
    patches_TND = patch_vectors(embedder, clip.inputs.frames_TCHW, config)
    expected = localization_maps(clip.embedding.audio_TD, patches_TND, grid=(2, 2))
    np.testing.assert_allclose(found.maps_THW, expected.numpy(), atol=1e-5)
    assert classify_video(embedder, probe, video).maps_THW is None
    with pytest.raises(ValueError, match="need other sounds"):
        classify_video(embedder, probe, video, maps=MapConfig(contrast=True))
