"""Maps of a whole video, and the video that shows them."""

import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import MediaError
from cavmae_sync.inputs import InputConfig, log_mel, normalize_spectrogram
from cavmae_sync.inputs.spectrogram import SILENCE
from cavmae_sync.maps import MapConfig
from cavmae_sync.maps.sound_parts import SoundPart
from cavmae_sync.media import probe, write_video
from cavmae_sync.media.playback import playback
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.tasks.localization.figures import moment_figure
from cavmae_sync.tasks.localization.localize_video import Localization, localize
from cavmae_sync.tasks.localization.overlay import overlaid, overlay_frames, write_overlay
from cavmae_sync.tasks.localization.prompts import recording_vector
from cavmae_sync.weights import reconfigured

ODD = Path(__file__).parents[2] / "media" / "odd"


@pytest.fixture
def looker() -> Embedder:
    """A small model with a grid of 2 x 2 patches and windows of 0.32 s."""
    shape: dict[str, Any] = {
        "inputs": InputConfig(frame_pixels=32, segment_length=32),
        "width": 16,
        "depth": 1,
        "heads": 2,
        "registers": 1,
        "decoder": DecoderConfig(width=8, depth=1, heads=2),
    }
    return Embedder(
        CAVMAESync(ModelConfig(**shape), generator=torch.Generator().manual_seed(0)), device="cpu"
    )


def film(path: Path, *, seconds: float = 2.0, height: int = 32, width: int = 64, loud=(0.0, 2.0)) -> Path:
    generator = np.random.default_rng(0)
    sound_S = generator.uniform(-0.3, 0.3, round(seconds * 16000)).astype(np.float32)
    times_S = np.arange(len(sound_S)) / 16000
    sound_S[(times_S < loud[0]) | (times_S >= loud[1])] = 0
    frames = generator.integers(0, 256, (round(seconds * 10), height, width, 3), dtype=np.uint8)
    write_video(path, frames, frames_per_second=10, waveform_S=sound_S)
    return path


def made(maps_MHW: torch.Tensor, *, strength=None, silent=None, scale=(0.0, 1.0)) -> Localization:
    num = len(maps_MHW)
    return Localization(
        seconds_M=np.arange(num, dtype=np.float64),
        maps_MHW=maps_MHW,
        strength_M=np.asarray(strength if strength is not None else np.zeros(num), np.float32),
        is_silent_M=np.asarray(silent if silent is not None else np.zeros(num, bool)),
        scale=scale,
        asked_by="own sound",
        whole_seconds=(0.0, float(num)),
        made_by=MapConfig(),
    )


class TestMaps:
    def test_moments_are_even_and_within_the_film(self, looker: Embedder, tmp_path: Path):
        found = localize(looker, playback(film(tmp_path / "a.mp4")), maps_per_second=5)
        np.testing.assert_allclose(found.seconds_M, np.arange(10) / 5, atol=1e-5)
        assert found.maps_MHW.shape == (10, 2, 2)

    def test_a_long_film_is_read_in_clips_of_equal_length(self, looker: Embedder, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4", seconds=24, loud=(0, 24)))
        done = []
        found = localize(looker, video, on_progress=lambda *progress: done.append(progress))
        assert done == [(1, 2), (2, 2)]
        assert len(found.seconds_M) == 2 * 19  # 1.6 a second in 12 s
        assert (np.diff(found.seconds_M) > 0).all()

    def test_silence_asks_for_nothing(self, looker: Embedder, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4", loud=(1.0, 2.0)))
        found = localize(looker, video, maps_per_second=5)
        np.testing.assert_array_equal(found.is_silent_M, found.seconds_M < 0.8)
        assert all(found.seconds_M[moment] >= 0.8 for moment in found.strongest(10))

    def test_a_recording_asks_at_every_moment(self, looker: Embedder, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4", loud=(1.0, 2.0)))
        found = localize(looker, video, sound=film(tmp_path / "b.mp4"))
        assert found.asked_by == "b.mp4"
        assert not found.is_silent_M.any()

    def test_colours_span_at_least_a_fifth_of_cosine(self, looker: Embedder, tmp_path: Path):
        low, high = localize(looker, playback(film(tmp_path / "a.mp4"))).scale
        assert high - low >= 0.2 - 1e-6

    def test_parts_of_the_sound_lie_on_the_time_of_the_file(self, looker: Embedder, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4", seconds=24, loud=(0, 24)))
        found = localize(looker, video, sound_parts=True)
        first, last = found.sound_parts[0], found.sound_parts[-1]
        assert len(found.sound_parts) == len(found.seconds_M)
        assert 0 < first.seconds_L[0] < 0.02
        assert 23.9 < last.seconds_L[-1] < 24.01
        assert last.seconds_L[0] == pytest.approx(12, abs=0.03)
        assert first.weight_L.shape == first.seconds_L.shape
        assert not np.array_equal(found.sound_parts[1].weight_L, first.weight_L)
        moment_figure(found, 3, next(overlay_frames(found, video)))

    def test_the_peak_of_a_part_is_the_middle_of_its_greatest_stretch(self):
        part = SoundPart(seconds_L=np.arange(5) / 2, weight_L=np.array([0, 1, 3, 3, 2], np.float32))
        assert part.peak_seconds == 1.25

    @pytest.mark.parametrize("number", ["08_vfr", "09_rot90_meta", "27_audio_starts_1p5s_late", "13_16x16"])
    def test_difficult_files(self, looker: Embedder, number: str):
        video = playback(ODD / f"{number}.mp4")
        found = localize(looker, video)
        assert found.seconds_M[0] == video.start_seconds
        assert bool(found.is_silent_M[0]) == number.startswith("27")  # whose sound comes later

    def test_less_than_a_second_is_refused(self, looker: Embedder):
        with pytest.raises(MediaError, match=r"at least 1\.000 s"):
            localize(looker, playback(ODD / "07_0p3s.mp4"))


class TestRecording:
    def write(self, path: Path, sound_S: np.ndarray) -> Path:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((sound_S * 32767).astype(np.int16).tobytes())
        return path

    def test_quiet_parts_do_not_ask(self, looker: Embedder, tmp_path: Path):
        bark_S = np.random.default_rng(0).uniform(-0.5, 0.5, 5360)  # one window
        alone = recording_vector(looker, self.write(tmp_path / "a.wav", bark_S))
        rest_S = 1e-3 * np.random.default_rng(1).uniform(-0.5, 0.5, 16000)
        among = recording_vector(looker, self.write(tmp_path / "b.wav", np.concatenate([bark_S, rest_S])))
        assert float(alone @ among) > 0.85  # one more window holds half of the bark
        assert float(torch.linalg.vector_norm(alone)) == pytest.approx(1, abs=1e-5)

    def test_shorter_than_a_window(self, looker: Embedder, tmp_path: Path):
        short = self.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 800))
        assert recording_vector(looker, short).shape == (16,)

    def test_a_centred_model_hears_a_short_recording_in_the_middle(self, looker: Embedder, tmp_path: Path):
        config = looker.model.config
        inputs = config.inputs.model_copy(update={"alignment": "centered"})
        centered = looker.replace(reconfigured(looker.model, config.model_copy(update={"inputs": inputs})))
        bark_S = (np.random.default_rng(0).uniform(-0.5, 0.5, 1600) * 32767).astype(np.int16) / 32768
        found_D = recording_vector(centered, self.write(tmp_path / "a.wav", bark_S * 32768 / 32767))
        length, rows_NM = inputs.segment_length, log_mel(bark_S.astype(np.float32))
        segment_LM = torch.full((length, 128), SILENCE)
        first = (length - len(rows_NM)) // 2
        segment_LM[first : first + len(rows_NM)] = rows_NM
        expected = centered.embed_segments(normalize_spectrogram(segment_LM, config=inputs)[None])[0]
        assert float(found_D @ expected) > 0.9999
        assert float(found_D @ recording_vector(looker, tmp_path / "a.wav")) < 0.9999

    @pytest.mark.parametrize(("length", "saying"), [(16000, "is silent"), (100, "at least 400")])
    def test_what_asks_for_nothing_is_refused(self, looker, tmp_path: Path, length: int, saying: str):
        with pytest.raises(MediaError, match=saying):
            recording_vector(looker, self.write(tmp_path / "a.wav", np.zeros(length)))


class TestOneMoment:
    def test_between_moments_maps_lie_on_a_line_and_beyond_them_they_stay(self):
        found = made(torch.stack([torch.zeros(2, 2), torch.ones(2, 2), torch.zeros(2, 2)]))
        assert [float(found.map_at(s)[0, 0]) for s in (-1, 0, 0.25, 1, 1.75, 2, 5)] == [
            0,
            0,
            0.25,
            1,
            0.25,
            0,
            0,
        ]

    def test_a_single_moment_holds_for_all_time(self):
        found = made(torch.full((1, 2, 2), 0.5))
        assert [float(found.map_at(s)[0, 0]) for s in (-1, 0, 9)] == [0.5, 0.5, 0.5]

    def test_the_strongest_are_apart_and_not_silent(self):
        found = made(torch.zeros(4, 1, 1), strength=[0.1, 0.9, 0.8, 0.5], silent=[0, 0, 1, 0])
        assert found.strongest(9) == [1, 3, 0]
        assert found.strongest(9, apart_seconds=2.0) == [1, 3]

    def test_the_peak_is_the_middle_of_a_patch(self):
        found = made(torch.tensor([[[0.0, 0.0], [1.0, 0.0]]]))
        assert found.peak(0) == (0.25, 0.75)

    @pytest.mark.parametrize("is_tall", [False, True])
    def test_colour_lies_over_the_middle_square_only(self, is_tall: bool):
        image_HWC = np.full((64, 160, 3), 120, np.uint8)
        found = made(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))  # its left upper patch
        over_HWC = overlaid(image_HWC.transpose(1, 0, 2).copy() if is_tall else image_HWC, found, 0.0)
        if is_tall:
            over_HWC = over_HWC.transpose(1, 0, 2)
        assert (over_HWC[:, :48] == 60).all()  # grey and half as bright
        assert (over_HWC[:, 112:] == 60).all()
        corner, opposite = over_HWC[2, 50], over_HWC[61, 110]
        assert corner[0] > corner[2] + 50  # yellow
        assert (opposite == 120).all()

    def test_silence_has_no_colour(self):
        found = made(torch.ones(1, 2, 2), silent=[True])
        assert (overlaid(np.full((32, 32, 3), 120, np.uint8), found, 0.0) == 120).all()


class TestVideo:
    def test_every_frame_comes_back_larger_by_the_strip_and_in_step(self, looker, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4", width=300))
        found = localize(looker, video)
        moments = found.strongest(1)
        (frame,) = write_overlay(found, video, tmp_path / "out.mp4", keep=moments)
        again = playback(tmp_path / "out.mp4")
        assert again.num_frames == video.num_frames
        assert again.frames_per_second == video.frames_per_second
        assert next(again.frames()).shape == (32 + 44, 300, 3)
        assert abs(frame.seconds - found.seconds_M[moments[0]]) <= 0.05
        played_S, own_S = again.sound(), video.sound()
        assert np.corrcoef(played_S, own_S[: len(played_S)])[0, 1] > 0.9  # no shift: the noise is white
        assert len(moment_figure(found, moments[0], frame).axes) == 4

    @pytest.mark.parametrize("seconds", [1.0, 2.3, 12.0])
    def test_the_curve_of_the_strip_goes_from_end_to_end(self, looker, tmp_path: Path, seconds: float):
        video = playback(film(tmp_path / "a.mp4", width=300, seconds=seconds, loud=(0, 99)))
        found = localize(looker, video)
        strips = [frame.strip_HWC for frame in overlay_frames(found, video)]
        is_head_HW = (strips[-1] == 255).all(axis=2)
        for strip_HWC in (strips[0], strips[-1]):
            is_line_HW = (strip_HWC == (86, 180, 233)).all(axis=2) | is_head_HW
            assert is_line_HW[:, -12:-4].any(axis=0).all(), "right to the end"
        step = (300 - np.flatnonzero(is_head_HW.all(axis=0))[0]) / 300
        assert step < 0.02 + 0.1 / seconds, "the last frame is one frame before the end"

    def test_one_moment_is_a_line(self):
        times, strength, silent = made(torch.zeros(1, 2, 2), strength=[0.4], silent=[True]).curve()
        assert times.tolist() == [0.0, 0.0, 1.0]
        assert strength.tolist() == pytest.approx([0.4, 0.4, 0.4])
        assert silent.tolist() == [True, True]

    @pytest.mark.parametrize(
        ("name", "size"),
        [
            ("12_odd_dims_321x241.avi", (322, 286)),
            ("09_rot90_meta.mp4", (360, 548)),
        ],
    )
    def test_odd_and_turned_frames(self, looker, tmp_path: Path, name: str, size: tuple[int, int]):
        video = playback(ODD / name)
        write_overlay(localize(looker, video), video, tmp_path / "out.mp4")
        info = probe(tmp_path / "out.mp4").video
        assert info is not None
        assert (info.width, info.height) == size
        assert Fraction(info.frames_per_second).limit_denominator(1001) == video.frames_per_second

    def test_nothing_is_left_of_an_interrupted_one(self, looker, tmp_path: Path):
        video = playback(film(tmp_path / "a.mp4"))

        def stop(done: int, _: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_overlay(localize(looker, video), video, tmp_path / "out.mp4", on_progress=stop)
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
