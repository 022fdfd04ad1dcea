"""A video whose picture and sound change at known moments."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.tasks.temporal.config import SegmentingConfig
from cavmae_sync.tasks.temporal.video_states import segment_video


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16, alignment="valid"),
        width=16,
        depth=1,
        heads=2,
        decoder=DecoderConfig(width=8, depth=1, heads=2),
    )
    # In one of four untrained models noise alone moves vectors by more than frames of one state may differ.
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(1)), device="cpu")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds: black until 2 s, white until 4 s, black again; noise from 3 s on, silence before."""
    frames_THWC = np.zeros((60, 32, 32, 3), dtype=np.uint8)
    frames_THWC[20:40] = 255
    waveform_S = np.random.default_rng(0).uniform(-0.3, 0.3, 96_000).astype(np.float32)
    waveform_S[:48_000] = 0
    path = tmp_path_factory.mktemp("states") / "video.mp4"
    write_video(path, frames_THWC, frames_per_second=10, waveform_S=waveform_S)
    return path


def test_a_state_that_comes_back_in_another_clip_has_its_letter_again(embedder: Embedder, video: Path):
    found = segment_video(embedder, video, config=SegmentingConfig(clip_seconds=3.0, max_states=2))
    assert "".join(span.name for span in found.states["visual"].spans) == "ABA"
    assert len(found.states["visual"].clusterings) == 1
    borders = [span.stop_seconds for span in found.states["visual"].spans]
    assert borders == pytest.approx([2, 4, 6], abs=0.15)


def test_clip_by_clip_no_letter_appears_twice(embedder: Embedder, video: Path):
    config = SegmentingConfig(clip_seconds=3.0, max_states=2, scope="clip")
    found = segment_video(embedder, video, config=config).states["visual"]
    assert "".join(span.name for span in found.spans) == "ABCD"
    assert len(found.clusterings) == 2


def test_spans_cover_the_file_without_gaps(embedder: Embedder, video: Path):
    for scope in ("file", "clip"):
        found = segment_video(embedder, video, config=SegmentingConfig(clip_seconds=2.5, scope=scope))
        assert set(found.states) == {"audio", "visual", "both"}
        for states in found.states.values():
            starts = [span.start_seconds for span in states.spans]
            stops = [span.stop_seconds for span in states.spans]
            assert starts == [found.start_seconds, *stops[:-1]]
            assert stops[-1] == found.stop_seconds == pytest.approx(6, abs=0.05)


def test_what_is_kept_for_a_figure_spans_the_same_time(embedder: Embedder, video: Path):
    seen = []
    config = SegmentingConfig(clip_seconds=3.0, num_frames=4, modalities=("audio",))
    found = segment_video(embedder, video, config=config, on_clip=seen.append)
    assert len(seen) == 2
    assert found.thumbnails_THWC.shape[0] == len(found.frame_seconds_T) == 8
    assert found.log_mel_NM.shape == (120, 128)
    assert found.log_mel_NM[:55].mean() < found.log_mel_NM[65:].mean() - 5


def test_more_frames_than_can_be_compared_are_refused(
    embedder: Embedder, video: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cavmae_sync.tasks.temporal.video_states.MAX_FRAMES_AT_ONCE", 20)
    seen = []
    with pytest.raises(ConfigError, match="scope=clip"):
        segment_video(embedder, video, config=SegmentingConfig(clip_seconds=3.0), on_clip=seen.append)
    assert seen == []  # the file says how long it is
    segment_video(embedder, video, config=SegmentingConfig(clip_seconds=3.0, scope="clip"))


def test_short_spans_are_given_away_where_that_is_asked(embedder: Embedder, video: Path):
    config = SegmentingConfig(clip_seconds=3.0, max_states=2, min_seconds=2.5, modalities=("visual",))
    found = segment_video(embedder, video, config=config)
    assert all(s.stop_seconds - s.start_seconds >= 2.5 for s in found.states["visual"].spans)
    assert found.states["visual"].spans[-1].stop_seconds == found.stop_seconds


def test_a_shot_in_which_nothing_happens_is_one_span(embedder: Embedder, tmp_path: Path):
    """A little noise in picture and sound: the published rule cuts it, and this is not shown to people."""
    generator = np.random.default_rng(1)
    frames_THWC = (120 + generator.integers(-3, 4, (60, 32, 32, 3))).astype(np.uint8)
    waveform_S = generator.uniform(-0.3, 0.3, 96_000).astype(np.float32)
    write_video(tmp_path / "shot.mp4", frames_THWC, frames_per_second=10, waveform_S=waveform_S)
    found = segment_video(embedder, tmp_path / "shot.mp4", config=SegmentingConfig()).states
    published = segment_video(
        embedder, tmp_path / "shot.mp4", config=SegmentingConfig(least_distance=0.0)
    ).states
    for modality, states in found.items():
        assert len(states.spans) == 1
        assert states.is_sharp is None
        assert states.farthest < 0.1
        assert len(published[modality].spans) > 1
