"""Linear fits: they find what was planted in spectra and pictures, and only where it was planted."""

import torch

from cavmae_sync.tasks.retrieval.clip_cues import ClipCues
from cavmae_sync.tasks.retrieval.fitted_baselines import fitted_baselines


def planted(num_clips: int, *, seed: int, what: float, when: float) -> ClipCues:
    """Spectra and pictures share three numbers: of the clip (times `what`), of the moment (times `when`)."""
    generator, mixing = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
    shared = what * torch.randn(num_clips, 1, 3, generator=generator)
    shared = shared + when * torch.randn(num_clips, 8, 3, generator=generator)
    spectra, pictures = (
        shared @ torch.randn(3, width, generator=mixing)
        + 0.1 * torch.randn(num_clips, 8, width, generator=generator)
        for width in (20, 30)
    )
    return ClipCues(sounds={}, pictures={}, spectra_NTM=spectra, pictures_NTG=pictures)


def found(what: float, when: float) -> dict[str, dict[str, float]]:
    train, test = (planted(100, seed=seed, what=what, when=when) for seed in (0, 1))
    return {
        name: {key: float(values.mean()) for key, values in measures.clip_values().items()}
        for name, measures in fitted_baselines(train, test).items()
    }


def test_what_the_moment_has_in_common_is_found_by_the_fit_of_changes():
    numbers = found(what=0.0, when=1.0)["linear fit of changes"]
    assert numbers["both/audio_to_visual"] > 0.9
    assert numbers["when/visual_to_audio"] > 0.9
    assert numbers["moment/audio_to_visual"] > 0.9
    assert numbers["what/audio_to_visual"] < 0.1


def test_what_the_clip_has_in_common_is_found_by_the_fit_of_means():
    numbers = found(what=1.0, when=0.0)["linear fit of clip means"]
    assert numbers["what/audio_to_visual"] > 0.5
    assert numbers["when/audio_to_visual"] < 0.1


def test_nothing_in_common_is_chance():
    for numbers in found(what=0.0, when=0.0).values():
        assert max(value for key, value in numbers.items() if not key.startswith("moment")) < 0.08
