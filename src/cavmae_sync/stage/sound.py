"""Sound of a scene: one dry track for each actor, their loudness at each frame, and the mix.

Shape letters: O actors, S samples at 16 kHz, T frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.pack import Pack
from cavmae_sync.stage.scene import SOUND_SHIFT_SECONDS, Actor, Event, Scene
from cavmae_sync.stage.synthesis import noise_band

Samples = NDArray[np.float32]

#: RMS of the loudest 0.2 s of an utterance whose event has loudness 1.
REFERENCE_RMS: Final = 0.2
#: Length of the span around a frame whose RMS is the loudness at that frame.
LOUDNESS_WINDOW_SECONDS: Final = 0.2
_NORM_WINDOW_SECONDS: Final = 0.2
_HIGHEST_PEAK: Final = 0.95


def dry_tracks(scene: Scene, *, config: StageConfig, pack: Pack) -> Samples:
    """Sound of each actor alone: (O, S) float32, silent outside its events."""
    tracks_OS = np.zeros((len(scene.actors), round(config.clip_seconds * SAMPLE_RATE_HZ)), np.float32)
    for actor, track_S in zip(scene.actors, tracks_OS, strict=True):
        for event in actor.events:
            start, stop = (round(t * SAMPLE_RATE_HZ) for t in (event.start_seconds, event.stop_seconds))
            track_S[start:stop] = _utterance(actor, event, stop - start, pack)
    return tracks_OS


def loudness(tracks_OS: Samples, *, frame_seconds_T: NDArray[np.float64]) -> NDArray[np.float32]:
    """Loudness of each actor around each frame: (O, T) float32 >= 0; 1 is as loud as `REFERENCE_RMS`.

    It is the RMS of the actor's own track in a window of 0.2 s centred on the frame, divided by the
    reference.
    """
    energy_OS = np.cumsum(np.pad(tracks_OS.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    half = LOUDNESS_WINDOW_SECONDS / 2
    edges = np.stack([frame_seconds_T - half, frame_seconds_T + half]) * SAMPLE_RATE_HZ
    first_T, last_T = np.clip(np.round(edges).astype(int), 0, tracks_OS.shape[1])
    mean_OT = (energy_OS[:, last_T] - energy_OS[:, first_T]) / (LOUDNESS_WINDOW_SECONDS * SAMPLE_RATE_HZ)
    return (np.sqrt(np.maximum(mean_OT, 0.0)) / REFERENCE_RMS).astype(np.float32)


def audible_tracks(tracks_OS: Samples, *, audible: Scene, config: StageConfig, pack: Pack) -> Samples:
    """Tracks that are mixed, for the actors of `audible`: (O, S) float32.

    Args:
        tracks_OS: Dry tracks of the scene without control, reused where the control keeps them.
        audible: The scene as its sound track has it.
        config: Its `control` decides.
        pack: Source of the sounds of actors that the scene without control lacks.
    """
    if config.control in {"none", "flipped"}:
        return tracks_OS
    if config.control == "shifted_sound":
        shift = round(SOUND_SHIFT_SECONDS * SAMPLE_RATE_HZ)
        num_samples = tracks_OS.shape[1]
        return np.pad(tracks_OS, ((0, 0), (shift, 0)))[:, :num_samples]
    return dry_tracks(audible, config=config, pack=pack)


def mix(tracks_OS: Samples, *, config: StageConfig, noise_seed: int) -> Samples:
    """Sound track of a clip: (S,) float32 in [-1, 1], tracks over background noise.

    Under `silent` it is digital silence; in all other clips the noise is there.
    """
    num_samples = tracks_OS.shape[1]
    if config.control == "silent":
        return np.zeros(num_samples, np.float32)
    noise_S = _background(num_samples, config.noise_decibels, noise_seed)
    mixed_S = tracks_OS.sum(axis=0, dtype=np.float32) + noise_S
    return mixed_S * np.float32(min(1.0, _HIGHEST_PEAK / max(float(np.abs(mixed_S).max()), 1e-9)))


def _utterance(actor: Actor, event: Event, num_samples: int, pack: Pack) -> Samples:
    generator = np.random.default_rng(event.seed)
    wave_S = pack.sound(actor.thing, num_samples=num_samples, generator=generator)
    gain = event.loudness * REFERENCE_RMS / max(_loudest_rms(wave_S), 1e-9)
    # 5 ms in and 30 ms out: an utterance cut off at once would click.
    ramp_S = np.minimum(np.arange(num_samples) / 80, np.arange(num_samples, 0, -1) / 480)
    return (wave_S * gain * np.minimum(ramp_S, 1.0)).astype(np.float32)


def _loudest_rms(wave_S: Samples) -> float:
    window = min(round(_NORM_WINDOW_SECONDS * SAMPLE_RATE_HZ), len(wave_S))
    energy_S = np.cumsum(np.pad(wave_S.astype(np.float64) ** 2, (1, 0)))
    return float(np.sqrt(max((energy_S[window:] - energy_S[:-window]).max(), 0.0) / window))


def _background(num_samples: int, decibels: float, seed: int) -> Samples:
    generator = np.random.default_rng(seed)
    low_hz = 60.0 * 2 ** float(generator.uniform(0.0, 2.0))
    high_hz = low_hz * 2 ** float(generator.uniform(2.0, 4.0))
    noise_S = noise_band(num_samples, low_hz=low_hz, high_hz=high_hz, generator=generator)
    return (noise_S * 10 ** (decibels / 20)).astype(np.float32)
