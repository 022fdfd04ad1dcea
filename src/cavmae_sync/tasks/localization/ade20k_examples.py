"""Images of ADE20K as examples, with sounds of VGGSound as prompts.

Letters: K windows of a prompt, L spectrogram frames per window, M mel bins, H W pixels, C columns of patches.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import InputConfig, cut_segments
from cavmae_sync.inputs.alignment import segment_spans
from cavmae_sync.paper import NUM_FRAMES, PATCH_SIZE, PROMPT_SAMPLES, SAMPLE_RATE_HZ, SPECTROGRAM_LENGTH
from cavmae_sync.tasks.localization.ade20k import Ade20kFolder
from cavmae_sync.tasks.localization.examples import Target

#: A column of patches counts as sound from this share on (DenseAV).
_LEAST_SOUND: Final = 0.01

#: Times of the 16 windows of a prompt, where the published rule has them: at the start of equal parts.
_WINDOW_SECONDS: Final = tuple(PROMPT_SAMPLES / SAMPLE_RATE_HZ * k / NUM_FRAMES for k in range(NUM_FRAMES))

#: Windows of a prompt that are compared with the image: the middle one, all of them with their maps averaged,
#: or one by its number.
PromptWindow = Literal["middle", "mean"] | int


class Ade20kExamples:
    """Examples of ADE20K with prompts of VGGSound; see `Ade20kFolder`.

    A prompt is cut into 16 windows, as the sound of a clip is, but there is only one image. The paper does
    not say which window it compares with the image, so this is an option.

    Args:
        folder: The rows.
        window: Which of the 16 windows of the prompt is compared; "middle" is that of frame 8.

    Raises:
        ConfigError: The prompt has no such window.

    Source:
        Paper Table 3; DenseAV's protocol.
    """

    def __init__(self, folder: Ade20kFolder, *, window: PromptWindow = "middle") -> None:
        if isinstance(window, int) and not 0 <= window < NUM_FRAMES:
            raise ConfigError(
                f"--prompt-window {window}: choose a window of a prompt, 0 to {NUM_FRAMES - 1}."
            )
        self.folder = folder
        self.window = window
        self.config: Mapping[str, Any] = {"source": "ADE20KSoundPrompted", "prompt_window": window}
        self.counts: Mapping[str, int] = {"rows_without_prompt": folder.num_without_prompt}
        self.clip_list = folder.fingerprint

    @cached_property
    def targets(self) -> Sequence[Target]:
        """Masks at 224 pixels, in order."""
        locations = [row.image_location for row in self.folder.rows]
        numbers = {location: number for number, location in enumerate(dict.fromkeys(locations))}
        return [
            Target.of(
                self.folder.read_mask(index),
                name=f"{row.image_location} + {row.sound.name}",
                unit=numbers[row.image_location],
                class_name=str(row.class_id),
            )
            for index, row in enumerate(self.folder.rows)
        ]

    def image(self, row: int, *, pixels: int) -> NDArray[np.uint8]:
        """Middle square of the image."""
        return self.folder.read_image(row, pixels=pixels)

    @property
    def _frames(self) -> list[int]:
        """Numbers of the windows that are compared."""
        if self.window == "mean":
            return list(range(NUM_FRAMES))
        return [NUM_FRAMES // 2 if self.window == "middle" else self.window]

    def prompt(self, row: int, config: InputConfig) -> Tensor:
        """Windows of the prompt that are compared."""
        log_mel_NM = self.folder.read_log_mel(row)
        return cut_segments(
            log_mel_NM, frame_seconds=_WINDOW_SECONDS, frame_indices=self._frames, config=config
        )

    def heard(self, row: int, config: InputConfig) -> Tensor:
        """Columns of patches that lie on the prompt's own sound, not on its padding.

        As in DenseAV, the mask of samples is interpolated at the columns, and a column counts from 0.01 on.
        """
        spans = segment_spans(SPECTROGRAM_LENGTH, frame_seconds=_WINDOW_SECONDS, config=config)
        samples_per_row = PROMPT_SAMPLES / SPECTROGRAM_LENGTH
        middles_C = np.arange(config.segment_length // PATCH_SIZE) * PATCH_SIZE + PATCH_SIZE / 2
        starts_K = np.array([spans[frame].start for frame in self._frames])
        places_KC = (starts_K[:, None] + middles_C) * samples_per_row - 0.5
        is_sound_S = np.zeros(PROMPT_SAMPLES)
        is_sound_S[: self.folder.read_sound(row).size] = 1
        weight_KC = np.interp(places_KC, np.arange(PROMPT_SAMPLES), is_sound_S, left=0, right=0)
        return torch.from_numpy(weight_KC > _LEAST_SOUND)

    def sound(self, row: int) -> tuple[NDArray[np.float32], None]:
        """The whole prompt; no moment of it is singled out."""
        return self.folder.read_sound(row), None

    def salient(self, row: int) -> None:  # noqa: ARG002
        """Not known: ADE20K has classes of things, but does not say which of them make sounds."""
        return
