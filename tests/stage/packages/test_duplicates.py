"""Copies are found however they were changed; different things are not taken for copies."""

import numpy as np
from PIL import Image, ImageDraw

from cavmae_sync.stage.packages.duplicates import same_pictures, same_recordings


def blot(seed):
    """A random blot, cropped to what is visible."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGBA", (80, 80))
    for _ in range(6):
        x, y = (int(v) for v in generator.integers(0, 50, 2))
        colour = (*(int(v) for v in generator.integers(0, 255, 3)), 255)
        ImageDraw.Draw(image).ellipse((x, y, x + 28, y + 20), fill=colour)
    return image.crop(image.getchannel("A").getbbox())


def call(seed, *, num_samples=24_000):
    """Noise in a random band."""
    generator = np.random.default_rng(seed)
    spectrum = np.fft.rfft(generator.standard_normal(num_samples))
    hz = np.fft.rfftfreq(num_samples, 1 / 16_000)
    middle_hz = 300 * 2 ** generator.uniform(0, 4)
    spectrum *= np.exp(-((np.log2(np.maximum(hz, 1) / middle_hz) / 0.7) ** 2))
    return np.fft.irfft(spectrum).astype(np.float32)


def test_a_mirrored_scaled_or_slightly_darker_picture_is_the_same():
    blots = [blot(seed) for seed in range(8)]
    mirrored = blots[2].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    larger = blots[5].resize((200, 190))
    darker = blots[6].point([value * 9 // 10 for value in range(256)] * 3 + list(range(256)))
    assert same_pictures(blots) == []
    assert same_pictures([*blots, mirrored, larger, darker]) == [(2, 8), (5, 9), (6, 10)]


def test_two_round_things_are_not_the_same():
    def ball(seed, hue):
        image = Image.new("RGBA", (60, 60))
        draw = ImageDraw.Draw(image)
        draw.ellipse((0, 0, 59, 59), fill=hue)
        x, y = (int(v) for v in np.random.default_rng(seed).integers(10, 40, 2))
        draw.ellipse((x, y, x + 12, y + 12), fill="white")
        return image

    assert same_pictures([ball(0, "orange"), ball(1, "orange")]) == []
    assert same_pictures([ball(0, "orange"), ball(0, (255, 170, 20))]) == [(0, 1)]
    assert same_pictures([ball(0, "orange"), ball(0, "navy")]) == []


def test_a_cut_quieter_or_noisy_recording_is_the_same():
    calls = [call(seed) for seed in range(8)]
    cut = calls[1][1600:20_000]
    quieter = calls[3] * np.float32(0.1)
    noisy = calls[4] + 0.2 * calls[4].std() * np.random.default_rng(9).standard_normal(24_000)
    found = same_recordings([*calls, cut, quieter, noisy.astype(np.float32)])
    assert same_recordings(calls) == []
    assert {(1, 8), (3, 9)} <= set(found) <= {(1, 8), (3, 9), (4, 10)}


def test_another_take_of_the_same_sound_is_another_recording():
    first, second = call(0), call(0)[::-1].copy()
    assert same_recordings([first, second]) == []


def test_nothing_has_no_copies():
    assert same_pictures([]) == []
    assert same_recordings([]) == []
