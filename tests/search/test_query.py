"""Queries from files: their vectors are those that a library has of the same moments."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import as_encoder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.errors import ConfigError, MediaError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import read_clip, write_video
from cavmae_sync.media.wav import write_wav
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.search import Box, LibrarySearch, Span, parse_span, picture_query, sound_query, video_query


@pytest.fixture(scope="module", params=["centered", "padded"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16, alignment=request.param),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds: another tile each tenth, noise that swells."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    generator = np.random.default_rng(3)
    tiles = generator.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    sound = generator.uniform(-0.3, 0.3, 96_000) * np.linspace(0.2, 1, 96_000)
    write_video(
        path,
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=sound.astype(np.float32),
    )
    return path


CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=4, store="float32")


@pytest.fixture
def search(embedder: Embedder, film: Path, tmp_path: Path) -> LibrarySearch:
    add_to_library(embedder, film, out=tmp_path / "l", config=CONFIG, options=FillOptions(num_workers=0))
    return LibrarySearch(open_library(tmp_path / "l"))


def test_the_whole_file_gives_the_vectors_of_the_library(
    embedder: Embedder, film: Path, search: LibrarySearch
):
    """The phase whose moments are those of the library has its rows, but for rounding to float16."""
    config = search.library.config
    for query in (video_query(embedder, config, film), sound_query(embedder, config, film)):
        phases = [query, *query.later]
        assert len(phases) == 4
        grid = 0.25 if config.rule == "uniform_center" else 0.0
        (same,) = [phase for phase in phases if phase.first_seconds == pytest.approx(grid)]
        for sense, rows in same.rows.items():
            np.testing.assert_allclose(rows, search.timelines.mapped(sense), atol=2e-3)
        hit = search.search(query).hits[0]
        assert hit.sound == pytest.approx(1, abs=5e-3)
        # Rows of the other model hardly differ from each other: it is random and hears 0.16 s.
        assert hit.offset_seconds == pytest.approx(0, abs=0.01 if grid else 0.3)


def test_a_span_is_found_where_it_is(embedder: Embedder, film: Path, search: LibrarySearch):
    if search.library.config.rule != "uniform_center":
        pytest.skip("rows of this random model hardly differ")
    query = video_query(embedder, search.library.config, film, span=Span(start_seconds=2.6, stop_seconds=4.1))
    assert query.duration_seconds == pytest.approx(1.5)
    hit = search.search(query).hits[0]
    assert hit.offset_seconds == pytest.approx(2.6, abs=0.15)


def test_a_short_sound_is_one_moment(embedder: Embedder, film: Path, search: LibrarySearch):
    query = sound_query(embedder, search.library.config, film, span=Span(start_seconds=1.0, stop_seconds=1.3))
    assert (len(query), query.later, query.first_seconds) == (1, (), pytest.approx(0.15))


def test_a_picture_and_a_part_of_it(embedder: Embedder, film: Path, search: LibrarySearch, tmp_path: Path):
    frame = read_clip(film, start_seconds=3.2, num_frames=1, sampling="uniform_start").frames_THWC[0]
    Image.fromarray(frame).save(tmp_path / "frame.png")
    query = picture_query(embedder, CONFIG, tmp_path / "frame.png")
    wide = np.concatenate([np.zeros_like(frame), frame], axis=1)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    half = Box(left=0.5, top=0, width=0.5, height=1)
    cut = picture_query(embedder, CONFIG, tmp_path / "wide.png", box=half)
    np.testing.assert_array_equal(query.rows["visual"], cut.rows["visual"])
    with pytest.raises(ConfigError, match="in fractions of the picture"):
        Box(left=0.5, top=0, width=0.6, height=1)


def test_silence_and_too_little_sound_are_no_question(embedder: Embedder, film: Path, tmp_path: Path):
    write_wav(tmp_path / "still.wav", np.full(16_000, 1e-6, np.float32))
    config = CONFIG.with_rule(as_encoder(embedder).sampling)
    with pytest.raises(MediaError, match="is silent there"):
        sound_query(embedder, config, tmp_path / "still.wav")
    write_wav(tmp_path / "short.wav", np.full(300, 0.1, np.float32))
    with pytest.raises(MediaError, match=r"0.025 s are needed"):
        sound_query(embedder, config, tmp_path / "short.wav")


def test_a_video_whose_sound_has_ended_asks_by_its_picture(embedder: Embedder, tmp_path: Path):
    frames = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    sound = np.full(16_000, 0.1, np.float32)
    write_video(tmp_path / "v.mp4", frames, frames_per_second=10, waveform_S=sound)
    config = CONFIG.with_rule(as_encoder(embedder).sampling)
    query = video_query(embedder, config, tmp_path / "v.mp4", span=Span(start_seconds=2.5, stop_seconds=3.5))
    assert query.senses == ("visual",)


def test_spans_of_names(tmp_path: Path):
    assert parse_span("a.mp4@12.5-14") == (Path("a.mp4"), Span(start_seconds=12.5, stop_seconds=14.0))
    odd = tmp_path / "b@1-2"
    odd.touch()
    assert parse_span(str(odd)) == (odd, Span())
    with pytest.raises(ConfigError, match="is no time"):
        parse_span("a.mp4@1..2-3")
