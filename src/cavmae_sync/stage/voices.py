"""Sounds of the classes of the procedural pack.

A voice is a function of a `Tone`: it makes (S,) float64 at 16 kHz, any scale. `HELD` voices sound all the
time and are modulated afterwards; `STRUCK` voices are hits, repeated at the modulation rate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from cavmae_sync.stage.synthesis import (
    Wave,
    arch,
    fading,
    noise_band,
    repeated,
    rich,
    seconds_of,
    struck,
    tone,
)

_SCALE: Final = (1.0, 9 / 8, 5 / 4, 3 / 2, 5 / 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tone:
    """Request to a voice: length, pitch as a factor, hits in a second, and the source of random numbers."""

    num_samples: int
    pitch: float
    rate_hz: float
    generator: np.random.Generator


Voice = Callable[[Tone], Wave]


def _samples(seconds: float) -> int:
    return round(16_000 * seconds)


def _hit_samples(t: Tone, seconds: float) -> int:
    """Samples of a hit that must end before the next one begins."""
    return _samples(min(seconds, 0.9 / t.rate_hz))


def _glide(low_hz: float, high_hz: float, num_samples: int) -> Wave:
    return np.geomspace(low_hz, high_hz, num_samples)


def _wobble(t: Tone, frequency_hz: float, *, rate_hz: float, depth: float) -> Wave:
    return frequency_hz * (1 + depth * np.sin(2 * np.pi * rate_hz * seconds_of(t.num_samples)))


def _steps(t: Tone, ratios: tuple[float, ...], *, step_seconds: float) -> Wave:
    number = (seconds_of(t.num_samples) / step_seconds).astype(int) % len(ratios)
    return np.asarray(ratios)[number]


# ---- held ------------------------------------------------------------------------------------------------


def bee(t: Tone) -> Wave:
    """A buzz."""
    return tone(_wobble(t, 180 * t.pitch, rate_hz=9, depth=0.04), t.num_samples, partials=rich(24, slope=0.7))


def cat(t: Tone) -> Wave:
    """Meows: a tone that rises and falls every 0.9 s."""
    place = (seconds_of(t.num_samples) / 0.9) % 1.0
    pitch = 480 * t.pitch * 2 ** (0.8 * np.sin(np.pi * place) - 0.3 * place)
    return tone(pitch, t.num_samples, partials=(0.5, 1.0, 0.9, 0.5, 0.3, 0.15)) * (
        0.25 + np.sin(np.pi * place)
    )


def snake(t: Tone) -> Wave:
    """A rattle: high noise chopped 26 times a second."""
    chopped = np.sin(2 * np.pi * 26 * seconds_of(t.num_samples)) > -0.2
    band = noise_band(t.num_samples, low_hz=3600 * t.pitch, high_hz=5600 * t.pitch, generator=t.generator)
    return band * (0.1 + 0.9 * chopped)


def trumpet(t: Tone) -> Wave:
    """Brass, a fanfare of three notes."""
    pitch = 330 * t.pitch * _steps(t, (1.0, 5 / 4, 3 / 2), step_seconds=0.3)
    return tone(pitch, t.num_samples, partials=(0.6, 0.9, 1.0, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2))


def flute(t: Tone) -> Wave:
    """A breathy, nearly pure tone with vibrato."""
    breath = noise_band(t.num_samples, low_hz=500 * t.pitch, high_hz=1500 * t.pitch, generator=t.generator)
    return (
        tone(_wobble(t, 750 * t.pitch, rate_hz=5, depth=0.015), t.num_samples, partials=(1, 0.15, 0.05))
        + 0.06 * breath
    )


def siren(t: Tone) -> Wave:
    """A tone that climbs and falls over an octave."""
    pitch = 800 * t.pitch * 2 ** (0.6 * np.sin(2 * np.pi * 0.9 * seconds_of(t.num_samples)))
    return tone(pitch, t.num_samples, partials=(1.0, 0.5, 0.35, 0.2))


def car(t: Tone) -> Wave:
    """A motor: low, rough pulses."""
    motor = tone(_wobble(t, 62 * t.pitch, rate_hz=3, depth=0.05), t.num_samples, partials=rich(10, slope=0.4))
    return motor + noise_band(t.num_samples, low_hz=80, high_hz=300 * t.pitch, generator=t.generator)


def turbine(t: Tone) -> Wave:
    """A rush of low air."""
    return noise_band(t.num_samples, low_hz=120 * t.pitch, high_hz=420 * t.pitch, generator=t.generator)


def telephone(t: Tone) -> Wave:
    """Two tones that take turns, 14 times a second."""
    pitch = 1000 * t.pitch * _steps(t, (1.0, 1.3), step_seconds=1 / 28)
    return tone(pitch, t.num_samples, partials=(1.0, 0.1, 0.5, 0.05, 0.2))


def kettle(t: Tone) -> Wave:
    """A steady whistle with steam."""
    steam = noise_band(t.num_samples, low_hz=2000 * t.pitch, high_hz=4500 * t.pitch, generator=t.generator)
    return tone(2500 * t.pitch, t.num_samples) + tone(3100 * t.pitch, t.num_samples) * 0.6 + 0.15 * steam


def cloud(t: Tone) -> Wave:
    """Rain: wide, steady noise."""
    return noise_band(t.num_samples, low_hz=900 * t.pitch, high_hz=4200 * t.pitch, generator=t.generator)


def fire(t: Tone) -> Wave:
    """A low roar with sharp cracks."""
    roar = noise_band(t.num_samples, low_hz=100 * t.pitch, high_hz=260 * t.pitch, generator=t.generator)
    cracks = (t.generator.random(t.num_samples) < 22 / 16_000) * t.generator.uniform(0.3, 1.0, t.num_samples)
    ring = struck(2300 * t.pitch, _samples(0.02), ratios=(1.0, 1.7, 2.6), decay_seconds=0.004)
    cracks[0] = 1.0
    return 0.25 * roar + 1.5 * np.convolve(cracks, ring)[: t.num_samples]


def ufo(t: Tone) -> Wave:
    """A tone that warbles widely, seven times a second."""
    pitch = 950 * t.pitch * 2 ** (0.45 * np.sin(2 * np.pi * 7 * seconds_of(t.num_samples)))
    return tone(pitch, t.num_samples, partials=(1.0, 0.3))


# ---- struck ----------------------------------------------------------------------------------------------


def bell(t: Tone) -> Wave:
    """A bell that rings on."""
    ring = struck(620 * t.pitch, _samples(1.2), ratios=(0.5, 1, 1.19, 1.5, 2, 2.74, 3.76), decay_seconds=0.4)
    return repeated(lambda _: ring, num_samples=t.num_samples, rate_hz=t.rate_hz)


def drum(t: Tone) -> Wave:
    """Low thumps that fall in pitch."""
    length = _samples(0.25)
    thump = tone(_glide(190 * t.pitch, 65 * t.pitch, length), length) * fading(length, decay_seconds=0.09)
    click = noise_band(length, low_hz=200, high_hz=900 * t.pitch, generator=t.generator)
    hit = thump + 0.15 * click * fading(length, decay_seconds=0.012)
    return repeated(lambda _: hit, num_samples=t.num_samples, rate_hz=t.rate_hz)


def bird(t: Tone) -> Wave:
    """Chirps that rise, then fall."""
    half = _samples(0.05)
    up = _glide(2600 * t.pitch, 4000 * t.pitch, half)
    chirp = tone(np.concatenate([up, up[::-1]]), 2 * half) * arch(2 * half)
    return repeated(lambda _: chirp, num_samples=t.num_samples, rate_hz=t.rate_hz)


def frog(t: Tone) -> Wave:
    """Croaks: each a run of short pulses."""
    pulse = struck(520 * t.pitch, _samples(0.03), ratios=(1.0, 2.1, 3.3), decay_seconds=0.007)
    croak = repeated(lambda _: pulse, num_samples=_samples(0.13), rate_hz=55)
    return repeated(lambda _: croak, num_samples=t.num_samples, rate_hz=t.rate_hz)


def dog(t: Tone) -> Wave:
    """Barks: rough tones that fall."""
    length = _hit_samples(t, 0.14)
    voice = tone(
        _glide(430 * t.pitch, 270 * t.pitch, length), length, partials=(0.5, 1.0, 1.0, 0.7, 0.5, 0.3)
    )
    rough = noise_band(length, low_hz=400 * t.pitch, high_hz=1600 * t.pitch, generator=t.generator)
    bark = (voice + 0.8 * rough) * arch(length)
    return repeated(lambda _: bark, num_samples=t.num_samples, rate_hz=t.rate_hz)


def owl(t: Tone) -> Wave:
    """Soft, nearly pure hoots."""
    length = _hit_samples(t, 0.2)
    hoot = tone(_glide(400 * t.pitch, 340 * t.pitch, length), length, partials=(1.0, 0.12)) * arch(length)
    return repeated(lambda _: hoot, num_samples=t.num_samples, rate_hz=t.rate_hz)


def fish(t: Tone) -> Wave:
    """Bubbles: very short tones that rise steeply, each from another pitch."""
    length = _samples(0.06)

    def bubble(_: int) -> Wave:
        low = 420 * t.pitch * float(t.generator.uniform(0.8, 1.25))
        return tone(_glide(low, 3.2 * low, length), length) * fading(length, decay_seconds=0.03)

    return repeated(bubble, num_samples=t.num_samples, rate_hz=t.rate_hz)


def clock(t: Tone) -> Wave:
    """Tick and tock: two dry clicks in turn."""
    clicks = [struck(f * t.pitch, _samples(0.05), ratios=(1, 1.6), decay_seconds=0.006) for f in (3000, 2000)]
    return repeated(lambda n: clicks[n % 2], num_samples=t.num_samples, rate_hz=t.rate_hz)


def train(t: Tone) -> Wave:
    """Puffs of steam."""
    length = _samples(0.2)

    def puff(_: int) -> Wave:
        steam = noise_band(length, low_hz=350 * t.pitch, high_hz=1300 * t.pitch, generator=t.generator)
        return steam * fading(length, decay_seconds=0.06)

    return repeated(puff, num_samples=t.num_samples, rate_hz=t.rate_hz)


def robot(t: Tone) -> Wave:
    """Beeps of square waves at random steps of a scale."""
    length = _hit_samples(t, 0.11)

    def beep(_: int) -> Wave:
        pitch = 520 * t.pitch * _SCALE[int(t.generator.integers(len(_SCALE)))]
        return tone(pitch, length, partials=(1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7)) * np.minimum(
            1, 8 * arch(length)
        )

    return repeated(beep, num_samples=t.num_samples, rate_hz=t.rate_hz)


def guitar(t: Tone) -> Wave:
    """Plucked strings of a chord in turn."""
    strings = [
        struck(165 * ratio * t.pitch, _samples(0.8), ratios=range(1, 12), decay_seconds=0.35)
        for ratio in (1.0, 3 / 2, 2.0, 5 / 2)
    ]
    return repeated(lambda n: strings[n % 4], num_samples=t.num_samples, rate_hz=t.rate_hz)


def xylophone(t: Tone) -> Wave:
    """Wooden bars at random steps of a scale."""

    def bar(_: int) -> Wave:
        pitch = 1050 * t.pitch * _SCALE[int(t.generator.integers(len(_SCALE)))]
        return struck(pitch, _samples(0.3), ratios=(1.0, 3.0), decay_seconds=0.07)

    return repeated(bar, num_samples=t.num_samples, rate_hz=t.rate_hz)


def saw(t: Tone) -> Wave:
    """Strokes of rough noise, forth and back."""
    length = _hit_samples(t, 0.3)

    def stroke(number: int) -> Wave:
        low = 1300 * t.pitch * (1.0 if number % 2 else 1.35)
        rough = noise_band(length, low_hz=low, high_hz=1.8 * low, generator=t.generator)
        return rough * arch(length) * (0.4 + 0.6 * (np.sin(2 * np.pi * 70 * seconds_of(length)) > 0))

    return repeated(stroke, num_samples=t.num_samples, rate_hz=t.rate_hz)


def hammer(t: Tone) -> Wave:
    """Clangs on metal."""
    clang = struck(1500 * t.pitch, _samples(0.4), ratios=(1, 1.47, 2.09, 2.56, 3.39), decay_seconds=0.1)
    return repeated(lambda _: clang, num_samples=t.num_samples, rate_hz=t.rate_hz)


def ball(t: Tone) -> Wave:
    """Boings: tones that leap up and die away."""
    length = _samples(0.3)
    boing = tone(_glide(150 * t.pitch, 420 * t.pitch, length), length, partials=(1, 0.5, 0.25, 0.12))
    boing = boing * fading(length, decay_seconds=0.1)
    return repeated(lambda _: boing, num_samples=t.num_samples, rate_hz=t.rate_hz)


HELD: Final = MappingProxyType(
    {
        voice.__name__: voice
        for voice in (
            bee,
            cat,
            snake,
            trumpet,
            flute,
            siren,
            car,
            turbine,
            telephone,
            kettle,
            cloud,
            fire,
            ufo,
        )
    }
)
STRUCK: Final = MappingProxyType(
    {
        voice.__name__: voice
        for voice in (
            bell, drum, bird, frog, dog, owl, fish, clock, train, robot, guitar, xylophone, saw, hammer, ball,
        )
    }
)  # fmt: skip
