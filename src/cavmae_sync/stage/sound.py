"""Sound of a scene: one dry track for each actor, and the mix.

Shape letters: O actors, S samples at 16 kHz, T frames.
"""

from typing import Final

import numpy as np

from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.behind import changing_noise, music, steady_noise
from cavmae_sync.stage.config import StageConfig
from cavmae_sync.stage.loudness import REFERENCE_RMS, Samples, level_gain, loudest_rms
from cavmae_sync.stage.pack import Pack
from cavmae_sync.stage.scene import SOUND_SHIFT_SECONDS, Actor, Event, Scene

_HIGHEST_PEAK: Final = 0.95
#: Time in which one turn fades into the next.
_HANDOVER_SECONDS: Final = 0.02
_HALF_HANDOVER: Final = round(_HANDOVER_SECONDS / 2 * SAMPLE_RATE_HZ)


def dry_tracks(scene: Scene, *, config: StageConfig, pack: Pack) -> Samples:
    """Sound of each actor alone: (O, S) float32, silent outside its events.

    Where objects take turns, any 0.2 s of their sum are equally loud, as far as the sounds allow it, and a
    turn begins and ends 10 ms outside its event.
    """
    num_samples = round(config.clip_seconds * SAMPLE_RATE_HZ)
    tracks_OS = np.zeros((len(scene.actors), num_samples), np.float32)
    for actor, track_S in zip(scene.actors, tracks_OS, strict=True):
        for event in actor.events:
            start, stop = (round(t * SAMPLE_RATE_HZ) for t in (event.start_seconds, event.stop_seconds))
            if config.takes_turns:
                start, stop = max(start - _HALF_HANDOVER, 0), min(stop + _HALF_HANDOVER, num_samples)
                track_S[start:stop] += _turn(actor, event, stop - start, pack)
            else:
                track_S[start:stop] = _utterance(actor, event, stop - start, pack)
    if config.takes_turns:
        tracks_OS *= level_gain(tracks_OS.sum(axis=0)).astype(np.float32)
    return tracks_OS


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
    """Sound track of a clip: (S,) float32 in [-1, 1], tracks over what is heard behind.

    Under `silent` it is digital silence; in all other clips the background noise is there.
    """
    num_samples = tracks_OS.shape[1]
    if config.control == "silent":
        return np.zeros(num_samples, np.float32)
    mixed_S = tracks_OS.sum(axis=0, dtype=np.float32)
    mixed_S = mixed_S + steady_noise(num_samples, config.noise_decibels, np.random.default_rng(noise_seed))
    for number, (level, sound) in enumerate(
        [(config.music_level, music), (config.noise_level, changing_noise)], start=1
    ):
        if level > 0:
            behind_S = sound(num_samples, np.random.default_rng([noise_seed, number]))
            mixed_S = mixed_S + np.float32(level * REFERENCE_RMS) * behind_S
    return mixed_S * np.float32(min(1.0, _HIGHEST_PEAK / max(float(np.abs(mixed_S).max()), 1e-9)))


def _utterance(actor: Actor, event: Event, num_samples: int, pack: Pack) -> Samples:
    generator = np.random.default_rng(event.seed)
    wave_S = pack.sound(actor.thing, num_samples=num_samples, generator=generator)
    gain = event.loudness * REFERENCE_RMS / max(loudest_rms(wave_S), 1e-9)
    # 5 ms in and 30 ms out: an utterance cut off at once would click.
    ramp_S = np.minimum(np.arange(num_samples) / 80, np.arange(num_samples, 0, -1) / 480)
    return (wave_S * gain * np.minimum(ramp_S, 1.0)).astype(np.float32)


def _turn(actor: Actor, event: Event, num_samples: int, pack: Pack) -> Samples:
    """Levelled sound of a turn that fades in and out, with equal power where two turns meet."""
    wave_S = pack.sound(actor.thing, num_samples=num_samples, generator=np.random.default_rng(event.seed))
    inside_S = np.minimum(np.arange(num_samples) + 0.5, np.arange(num_samples, 0, -1) - 0.5)
    ramp_S = np.sin(np.pi / 2 * np.minimum(inside_S / (2 * _HALF_HANDOVER), 1.0))
    return (wave_S * level_gain(wave_S) * ramp_S * event.loudness).astype(np.float32)
