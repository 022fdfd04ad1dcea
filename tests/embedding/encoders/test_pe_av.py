"""PE-AV as the encoder of a library: the code path, with a tiny model of random weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding.encoders import Sound
from cavmae_sync.embedding.encoders.pe_av import PeAvEncoder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.media import read_audio, write_video
from cavmae_sync.search import (
    LibrarySearch,
    Span,
    picture_query,
    sound_query,
    text_query,
    verdict,
    video_query,
)

CONFIG = LibraryConfig(clip_seconds=2.0, num_frames=1, store="float32")


@pytest.fixture(scope="module")
def encoder(tiny_pe_av: Path) -> PeAvEncoder:
    return PeAvEncoder.open(tiny_pe_av, device="cpu")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds: another colour and another pitch in each, the last window is short."""
    generator = np.random.default_rng(0)
    tiles = generator.integers(0, 256, (9, 4, 4, 3), dtype=np.uint8).repeat(10, axis=0)
    times = np.arange(9 * 16_000) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * (300 + 700 * np.floor(times)) * times)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_video(
        path,
        tiles.repeat(8, axis=1).repeat(8, axis=2),
        frames_per_second=10,
        waveform_S=sound.astype(np.float32),
    )
    return path


def sound_of(samples: np.ndarray, moments: list[float], *, window: float) -> Sound:
    return Sound(
        values_NM=torch.from_numpy(samples)[:, None],
        moment_seconds=moments,
        duration_seconds=len(samples) / 48_000,
        window_seconds=window,
    )


def test_sounds_are_those_of_the_model_and_do_not_depend_on_what_is_beside(encoder: PeAvEncoder):
    generator = np.random.default_rng(1)
    first, second = (generator.normal(size=n).astype(np.float32) * 0.1 for n in (96_000, 40_000))
    both = encoder.encode_sounds(
        [sound_of(first, [0.5, 1.5], window=1.0), sound_of(second, [0.4], window=1.0)]
    )
    assert both.shape == (3, 32)
    alone = encoder.encode_sounds([sound_of(second, [0.4], window=1.0)])
    torch.testing.assert_close(both[2:], alone)
    with torch.inference_mode():
        true = encoder._model.get_audio_embeds(torch.from_numpy(first[48_000:])[None, None])
    torch.testing.assert_close(both[1:2], torch.nn.functional.normalize(true, dim=-1))


def test_frames_are_those_of_the_model(encoder: PeAvEncoder):
    frames = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8))
    found = encoder.encode_frames(frames, [2, 1, 2])
    pixels = (frames[3:].float() / 255 - 0.5) / 0.5
    with torch.inference_mode():
        video = encoder._model.video_model
        true = video.video_head(
            video.video_encoder(pixel_values_videos=pixels.permute(0, 3, 1, 2)[None]).pooler_output
        )
    torch.testing.assert_close(found[2:], torch.nn.functional.normalize(true, dim=-1))
    assert found.shape == (3, 32)


def test_the_rate_of_the_sound_is_the_models(film: Path, encoder: PeAvEncoder):
    assert encoder.preparation.sample_rate_hz == 48_000
    assert len(read_audio(film, duration_seconds=1.0, sample_rate_hz=48_000)) == 48_000


@pytest.mark.parametrize("workers", [0, 1])
def test_a_library_of_it_is_searched_by_media(film: Path, encoder: PeAvEncoder, tmp_path: Path, workers: int):
    options = FillOptions(num_workers=workers)
    run = add_to_library(encoder, film, out=tmp_path / "l", config=CONFIG, options=options)
    assert (run.report.num_clips, run.report.num_failed) == (5, 0)
    library = open_library(tmp_path / "l")
    assert library.record.encoder.kind == "pe-av"
    (part,) = library.parts()
    assert part.frames_per_clip.tolist() == [1] * 5
    assert part.moment_seconds.tolist() == [1.0, 3.0, 5.0, 7.0, 8.5]
    search = LibrarySearch(library)
    for query in (
        sound_query(encoder, library.config, film, span=Span(start_seconds=4.0, stop_seconds=6.0)),
        video_query(encoder, library.config, film, span=Span(start_seconds=4.0, stop_seconds=6.0)),
    ):
        hit = search.search(query).hits[0]
        assert hit.offset_seconds == pytest.approx(4.0, abs=1.0)  # half a step: random models blur
        assert hit.sound == pytest.approx(1.0, abs=1e-3)
    if workers == 0:
        again = LibrarySearch(open_library(tmp_path / "l"))
        assert list(again.held) == [part.content]


def test_texts_are_ranked_and_not_judged(film: Path, encoder: PeAvEncoder, tmp_path: Path):
    add_to_library(encoder, film, out=tmp_path / "l", config=CONFIG, options=FillOptions(num_workers=0))
    library = open_library(tmp_path / "l")
    query = text_query(encoder, library.config, "a dog barks")
    assert query.senses == ("audio", "visual")
    found = LibrarySearch(library).search(query)
    assert (found.matches, found.hits[0].probability) == (None, None)
    assert verdict(found).startswith("Ranked, not judged")
    (part,) = library.parts()
    found = sorted(found.hits, key=lambda hit: hit.start_seconds)
    for sense, cosines in (("audio", [h.sound for h in found]), ("visual", [h.picture for h in found])):
        moments = [round(hit.offset_seconds / 2 - 0.5) for hit in found]
        by_hand = part.vectors(sense) @ query.rows[sense][0]
        np.testing.assert_allclose(cosines, by_hand[moments], atol=1e-3)
    other = text_query(encoder, library.config, "rain")
    assert not np.allclose(other.rows["audio"], query.rows["audio"])
    with pytest.raises(ConfigError, match="text is empty"):
        text_query(encoder, library.config, " ")


def test_a_picture_asks_too(encoder: PeAvEncoder, tmp_path: Path):
    from PIL import Image

    Image.new("RGB", (50, 30), "red").save(tmp_path / "red.png")
    query = picture_query(encoder, CONFIG, tmp_path / "red.png")
    assert query.rows["visual"].shape == (1, 32)


def test_another_model_is_refused(film: Path, encoder: PeAvEncoder, tiny_pe_av: Path, tmp_path: Path):
    add_to_library(encoder, film, out=tmp_path / "l", config=CONFIG, options=FillOptions(num_workers=0))
    other = tmp_path / "other"
    shutil.copytree(tiny_pe_av, other)
    with (other / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\x80\x3f")
    with pytest.raises(ConfigError, match="weights"):
        add_to_library(PeAvEncoder.open(other, device="cpu"), film, out=tmp_path / "l", config=CONFIG)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "config.json"),
        ("video_preprocessor_config.json", "is missing"),
        ("model.safetensors", "no PE-AV model"),
    ],
)
def test_what_a_folder_lacks_is_said(tiny_pe_av: Path, tmp_path: Path, name: str, message: str):
    shutil.copytree(tiny_pe_av, tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(WeightsError, match=message):
        PeAvEncoder.open(tmp_path / "m")


def test_pickled_weights_are_not_read(tiny_pe_av: Path, tmp_path: Path):
    shutil.copytree(tiny_pe_av, tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="no PE-AV model"):
        PeAvEncoder.open(tmp_path / "m")


def test_without_words_it_takes_no_texts(tiny_pe_av: Path, tmp_path: Path):
    shutil.copytree(tiny_pe_av, tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match="takes no texts"):
        text_query(PeAvEncoder.open(tmp_path / "m", device="cpu"), CONFIG, "a dog")
