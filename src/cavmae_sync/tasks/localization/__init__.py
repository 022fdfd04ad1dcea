"""Localisation: where in an image the sound comes from (the paper's sound-prompted segmentation).

In: a model with images and sounds, or a video. Out: a `LocalizationReport`, or a video with its maps.

Measured (`evaluate localize`):

- `examples`: image, sound as prompt and true mask; made of a stage (`stage_examples`) or of ADE20K
  (`ade20k_examples`, which reads a folder with `ade20k`; `ade20k_audit` checks such a folder);
- `maps`: localisation maps of a model; `map_files`: those of another model, from a file;
- `controls`: maps that need no model, or of a model with one fault;
- `evaluate`: maps and examples to a report;
- `sound_parts`: the other way round, which part of the sound belongs to a frame, measured on a stage.

Shown (`localize`): `localize_video` computes the maps of a video, `overlay` draws them into it; `prompts`:
sounds from elsewhere that ask. How a map is made is in the room `maps`.

`figures`: examples with their maps, and one moment of a video.
"""

from cavmae_sync.tasks.localization.evaluate import (
    LocalizationConfig,
    LocalizationReport,
    evaluate_localization,
    localization_report,
)

__all__ = [
    "LocalizationConfig",
    "LocalizationReport",
    "evaluate_localization",
    "localization_report",
]
