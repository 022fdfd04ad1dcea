"""Sound: the right channel, the right rate, and every sample at its moment."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cavmae_sync.errors import ClipTooShortError, DecodeError
from cavmae_sync.media import read_audio, read_clip

from .conftest import lag_samples, noise, write_wav


def tones(*, rate_hz: int, frequencies_hz: list[float], seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.stack([0.2 * np.sin(2 * np.pi * f * t) for f in frequencies_hz])


def loudest_hz(waveform_S: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(waveform_S)).argmax() * 16_000 / waveform_S.size)


def test_late_sound_is_placed_by_its_time(odd: Callable[[str], Path]):
    """File 27 is file 00 with its sound 1.5 s later."""
    late, base = read_clip(odd("27")).waveform_S, read_clip(odd("00")).waveform_S
    assert np.abs(late[: int(1.45 * 16_000)]).max() == 0.0
    assert lag_samples(late, base[:24_000]) == pytest.approx(24_000, abs=32)


def test_late_video_begins_the_clip(odd: Callable[[str], Path]):
    """File 28 is file 00 with its video 1.5 s later: the clip begins there, 1.5 s into the sound."""
    late, base = read_clip(odd("28")), read_clip(odd("00"))
    assert late.start_seconds == 1.5
    np.testing.assert_array_equal(late.frames_THWC[0], base.frames_THWC[0])
    np.testing.assert_allclose(late.waveform_S[:20_000], base.waveform_S[24_000:44_000], atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_silence_after_the_end_changes_nothing_before_it(rate_hz: int, tmp_path: Path):
    """Only what a file holds is resampled: the same sound with 20 s of zeros behind it is the same."""
    sound_S = noise(3.0, rate_hz=rate_hz)
    longer_S = np.concatenate([sound_S, np.zeros(20 * rate_hz, np.float32)])
    short, long = (
        read_audio(
            write_wav(
                tmp_path / f"{samples_S.size}.wav",
                samples_S[None],
                rate_hz=rate_hz,
                layout="mono",
                codec="pcm_f32le",
                sample_format="flt",
            ),
            duration_seconds=3.0,
        )
        for samples_S in (sound_S, longer_S)
    )
    np.testing.assert_array_equal(short, long)


def test_sound_that_ends_early_is_followed_by_silence(odd: Callable[[str], Path]):
    waveform_S = read_clip(odd("29")).waveform_S
    assert np.abs(waveform_S[:16_000]).max() > 0.01
    assert np.abs(waveform_S[17_000:]).max() == 0.0


def test_all_containers_agree(odd: Callable[[str], Path], subtests: pytest.Subtests):
    """The same sound by other codecs and containers, against the same video (encoders add up to 2 ms)."""
    base_S = read_clip(odd("00")).waveform_S
    # Where the video is behind the sound by its time stamps (not in 18, whose delay belongs to the codec).
    first_frame = {"20": 0.010, "31": 0.023, "53": 0.025}
    for number in ("18", "20", "22", "25", "31", "46", "53"):
        with subtests.test(number):
            lag = lag_samples(read_clip(odd(number)).waveform_S, base_S) / 16_000
            assert lag == pytest.approx(first_frame.get(number, 0.0), abs=0.003)


def test_first_channel_of_six(tmp_path: Path):
    """Channel 0 as stored, before any down-mix."""
    samples = tones(rate_hz=48_000, frequencies_hz=[400, 600, 800, 60, 1200, 1600])
    path = write_wav(
        tmp_path / "six.wav",
        (samples * 32767).astype(np.int16),
        rate_hz=48_000,
        layout="5.1",
        codec="pcm_s16le",
        sample_format="s16",
    )
    first_S = read_audio(path)
    assert loudest_hz(first_S) == 400
    mean_S = read_audio(path, channel="mix")
    for frequency_hz in (400, 600, 800, 60, 1200, 1600):
        amplitude = np.abs(np.fft.rfft(mean_S)[frequency_hz]) * 2 / mean_S.size
        assert amplitude == pytest.approx(0.2 / 6, rel=0.02)


def test_channels_that_cancel(odd: Callable[[str], Path]):
    assert np.abs(read_clip(odd("25"), channel="first").waveform_S).max() > 0.05
    assert np.abs(read_clip(odd("25"), channel="mix").waveform_S).max() < 1e-4


def test_every_rate_becomes_sixteen_thousand(tmp_path: Path):
    """A tone keeps its pitch, level and phase."""
    expected_S = tones(rate_hz=16_000, frequencies_hz=[1000])[0]
    for rate_hz in (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000):
        path = write_wav(
            tmp_path / "tone.wav",
            tones(rate_hz=rate_hz, frequencies_hz=[1000]).astype(np.float32),
            rate_hz=rate_hz,
            layout="mono",
            codec="pcm_f32le",
            sample_format="flt",
        )
        waveform_S = read_audio(path)
        assert waveform_S.dtype == np.float32
        assert waveform_S.size == 16_000
        np.testing.assert_allclose(waveform_S[500:-500], expected_S[500:-500], atol=2e-3)


def test_every_sample_format(tmp_path: Path):
    wanted_S = np.array([0.0, 0.5, -0.5, 0.25, -1.0] * 400)
    for codec, sample_format, dtype, zero, full_scale in [
        ("pcm_u8", "u8", np.uint8, 128, 128),
        ("pcm_s16le", "s16", np.int16, 0, 2**15),
        ("pcm_s32le", "s32", np.int32, 0, 2**31),
        ("pcm_f32le", "flt", np.float32, 0, 1),
        ("pcm_f64le", "dbl", np.float64, 0, 1),
    ]:
        path = write_wav(
            tmp_path / "steps.wav",
            (wanted_S * full_scale + zero).astype(dtype)[None],
            rate_hz=16_000,
            layout="mono",
            codec=codec,
            sample_format=sample_format,
        )
        np.testing.assert_array_equal(read_audio(path), wanted_S.astype(np.float32), err_msg=codec)


def test_beyond_full_scale_is_clipped_as_in_a_sixteen_bit_file(tmp_path: Path):
    path = write_wav(
        tmp_path / "loud.wav",
        np.full((1, 1600), 1.5, np.float32),
        rate_hz=16_000,
        layout="mono",
        codec="pcm_f32le",
        sample_format="flt",
    )
    assert np.unique(read_audio(path)).tolist() == [1.0]


def test_a_stretch_of_sound_equals_the_whole_cut(tmp_path: Path):
    """Whatever the start, samples lie on one grid, also when the file was sought in."""
    path = write_wav(
        tmp_path / "long.wav",
        noise(25.0, rate_hz=44_100)[None],
        rate_hz=44_100,
        layout="mono",
        codec="pcm_f32le",
        sample_format="flt",
    )
    whole_S = read_audio(path)
    assert whole_S.size == 25 * 16_000
    for start in (0.0, 0.37, 9.9, 12.345, 20.0):
        part_S = read_audio(path, start_seconds=start, duration_seconds=3.0)
        first = round(start * 16_000)
        np.testing.assert_array_equal(part_S, whole_S[first : first + 48_000])


def test_sound_only_files(odd: Callable[[str], Path]):
    assert read_audio(odd("34")).size / 16_000 == pytest.approx(3.158, abs=0.001)  # with a cover
    assert read_audio(odd("02"), start_seconds=3.0, duration_seconds=9.0).size / 16_000 == pytest.approx(
        0.158, abs=0.001
    )


def test_sound_that_starts_late_keeps_its_silence(odd: Callable[[str], Path]):
    assert read_audio(odd("27")).size / 16_000 == pytest.approx(4.657, abs=0.001)


def test_past_the_end(odd: Callable[[str], Path]):
    with pytest.raises(ClipTooShortError, match=r"has 3\.16 s of sound, but sound from 5\.00 s on"):
        read_audio(odd("00"), start_seconds=5.0)
    with pytest.raises(ClipTooShortError, match=r"has 3\.16 s of sound, but sound from 50\.00 s on"):
        read_audio(odd("00"), start_seconds=50.0)


def test_an_infinite_sample_where_it_is_used(tmp_path: Path):
    samples = np.zeros((1, 32_000), np.float32)
    samples[0, 24_000] = np.inf
    path = write_wav(
        tmp_path / "inf.wav", samples, rate_hz=16_000, layout="mono", codec="pcm_f32le", sample_format="flt"
    )
    assert read_audio(path, duration_seconds=1.0).size == 16_000
    with pytest.raises(DecodeError, match=r"NaN or infinite, the first at 1\.50 s"):
        read_audio(path)


def test_refuses_a_negative_start(odd: Callable[[str], Path]):
    with pytest.raises(ValueError, match=r"got -1\.0"):
        read_audio(odd("00"), start_seconds=-1.0)
