"""PE-AV as an encoder of libraries: one vector for a short window of sound, and one for its frames.

PE-AV is of other authors (Apache-2.0), and the library transformers has it. Its encoders and heads are called
directly: `get_video_embeds` and `get_text_audio_embeds` of `PeAudioVideoModel` call methods that do not exist
(transformers 5.23). Texts compare with sounds by one head, and with frames by another.

Tested with a tiny model of random weights. Nobody has run the published weights with it: they need the
packages timm and torchvision too.

B windows, S samples, K frames, H W pixels, C colours, F moments, D width.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field, FiniteFloat
from torch import Tensor

from cavmae_sync.compute import choose_device
from cavmae_sync.embedding.encoders.base import EncoderRecord, Sound
from cavmae_sync.embedding.rows import finite, unit_rows
from cavmae_sync.errors import ConfigError, WeightsError
from cavmae_sync.media import SamplingRule
from cavmae_sync.model import Modality
from cavmae_sync.untrusted import read_json

PE_AV: Final = "pe-av"
#: Frames per second that a window gives to the model. The authors take all; mteb takes two for memory.
_FRAMES_PER_SECOND: Final = 2.0
#: Windows that are encoded together.
_BATCH: Final = 8
_MOST_TOKENS: Final = 512
_REMEDY: Final = "Give the folder of a PE-AV model, as transformers saves it."


class _Size(BaseModel):
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)


class _VideoSettings(BaseModel):
    """`video_preprocessor_config.json`."""

    size: _Size
    image_mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    image_std: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    rescale_factor: FiniteFloat = 1 / 255


class _SoundSettings(BaseModel):
    """`preprocessor_config.json`."""

    sampling_rate: int = Field(48_000, ge=1000, le=768_000)
    hop_length: int = Field(1920, gt=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PeAvPreparation:
    """Frames resized without cropping, sounds as they are.

    Attributes:
        height: Height of a frame in pixels.
        width: Width of it.
        sample_rate_hz: Samples per second of the sound.
    """

    height: int
    width: int
    sample_rate_hz: int

    def frames_per_moment(self, window_seconds: float) -> int:
        """Two for each second of a window, one at least."""
        return max(1, round(_FRAMES_PER_SECOND * window_seconds))

    def frame(self, frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frame of the size that the model takes."""
        image = Image.fromarray(frame_HWC).resize((self.width, self.height), Image.Resampling.BILINEAR)
        return np.asarray(image)

    def sound(self, waveform_S: NDArray[np.float32]) -> Tensor:
        """Sound of a clip [S, 1]."""
        return torch.from_numpy(waveform_S)[:, None]


class PeAvEncoder:
    """PE-AV, ready to compute in float32.

    Args:
        model: `PeAudioVideoModel` of transformers.
        tokenizer: Its tokenizer; None answers no texts.
        settings: Settings of frames and sounds.
        weights: Fingerprint of the weights.
        device: Where to compute; the best of this machine unless given.
    """

    def __init__(
        self,
        model: Any,
        *,
        tokenizer: Any,
        settings: "PeAvSettings",
        weights: str,
        device: str | torch.device | None = None,
    ) -> None:
        self._device = choose_device(device)
        self._model = model.to(self._device).eval()
        self._tokenizer, self._settings, self._weights = tokenizer, settings, weights

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, device: str | None = None) -> Self:
        """Open a model from its folder. Only safetensors are read, and nothing in the folder is executed.

        Raises:
            ConfigError: The package transformers is missing, or too old.
            WeightsError: The folder holds no such model.
        """
        try:
            from transformers import AutoTokenizer, PeAudioVideoModel
        except ImportError as error:
            raise ConfigError(
                "PE-AV needs the package transformers: pip install 'cavmae-sync[pe-av]'."
            ) from error
        place = Path(folder)
        if not (place / "config.json").is_file():
            raise WeightsError(f"{place} has no config.json. {_REMEDY}")
        settings = PeAvSettings.read(place)
        safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            model = PeAudioVideoModel.from_pretrained(place, use_safetensors=True, **safe)
            has_words = (place / "tokenizer.json").is_file()
            tokenizer = AutoTokenizer.from_pretrained(place, **safe) if has_words else None
        except ImportError as error:
            raise ConfigError(f"{place} needs more than transformers: {error}") from error
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise WeightsError(f"{place} is no PE-AV model: {error!s:.300}. {_REMEDY}") from error
        # The authors take the first token before the last norm of the text model.
        model.text_model.final_norm = torch.nn.Identity()
        return cls(model, tokenizer=tokenizer, settings=settings, weights=_fingerprint(place), device=device)

    @property
    def preparation(self) -> PeAvPreparation:
        """What happens where clips are decoded."""
        settings = self._settings
        return PeAvPreparation(
            height=settings.height, width=settings.width, sample_rate_hz=settings.sample_rate_hz
        )

    @property
    def sampling(self) -> SamplingRule:
        """Centres of windows that follow each other."""
        return "uniform_center"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    @property
    def spaces(self) -> Mapping[Modality, str]:
        """One space for both senses, as the model was trained."""
        return {"audio": "audio-visual", "visual": "audio-visual"}

    def record(self) -> EncoderRecord:
        """What it is, for libraries."""
        settings = self._settings
        return EncoderRecord(
            kind=PE_AV,
            width=self._model.config.text_config.hidden_size,
            weights=self._weights,
            made_with=asdict(settings)
            | {"mean": list(settings.mean), "std": list(settings.std)}  # as JSON has it
            | {"frames_per_second": _FRAMES_PER_SECOND},
        )

    @torch.inference_mode()
    def encode_sounds(self, sounds: Sequence[Sound]) -> Tensor:
        """Vectors of the windows around all moments. Windows of one length are encoded together."""
        return self._encoded(
            [window for sound in sounds for window in self._windows(sound)], self._sound_rows
        )

    @torch.inference_mode()
    def encode_frames(self, frames_PHWC: Tensor, counts: Sequence[int]) -> Tensor:
        """Vectors of moments from their frames. Moments with as many frames are encoded together."""
        return self._encoded(list(frames_PHWC.split(list(counts))), self._frame_rows)

    @torch.inference_mode()
    def encode_text(self, text: str) -> Mapping[Modality, Tensor]:
        """Vector [1, D] of a text in the space of sounds, and in that of frames.

        Raises:
            ConfigError: The model came without a tokenizer, or the text is empty.
        """
        if self._tokenizer is None:
            raise ConfigError("This PE-AV model came without tokenizer.json, so it takes no texts.")
        if not text.strip():
            raise ConfigError("The text is empty. Say what to look for.")
        words = self._tokenizer([text], return_tensors="pt", truncation=True, max_length=_MOST_TOKENS)
        words = {name: words[name].to(self._device) for name in ("input_ids", "attention_mask")}
        first_BD = self._model.text_model(**words).last_hidden_state[:, 0]
        heads: dict[Modality, Any] = {
            "audio": self._model.audio_model.text_audio_head,
            "visual": self._model.video_model.text_video_head,
        }
        return {sense: self._checked(head(first_BD)) for sense, head in heads.items()}

    def moved(self, device: str) -> Self:
        """The same on another device; the model here stays where it is."""
        return type(self)(
            deepcopy(self._model),
            tokenizer=self._tokenizer,
            settings=self._settings,
            weights=self._weights,
            device=device,
        )

    def _windows(self, sound: Sound) -> Iterator[Tensor]:
        """Sound [S] around each moment of a clip, half a window to both sides."""
        rate, half = self._settings.sample_rate_hz, sound.window_seconds / 2
        length = len(sound.values_NM)
        for seconds in sound.moment_seconds:
            start = min(max(round((seconds - half) * rate), 0), length - 1)
            stop = min(max(round((seconds + half) * rate), start + 1), length)
            yield sound.values_NM[start:stop, 0]

    def _encoded(self, windows: list[Tensor], encode: Any) -> Tensor:
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for number, window in enumerate(windows):
            by_length[len(window)].append(number)
        rows: dict[int, Tensor] = {}
        for numbers in by_length.values():
            for start in range(0, len(numbers), _BATCH):
                some = numbers[start : start + _BATCH]
                batch = torch.stack([windows[number] for number in some]).to(self._device)
                rows |= dict(zip(some, self._checked(encode(batch)), strict=True))
        return torch.stack([rows[number] for number in range(len(windows))])

    def _sound_rows(self, batch_BS: Tensor) -> Tensor:
        hop = self._settings.hop_length
        missing = -batch_BS.shape[1] % hop
        # Mirrored at the end as their feature extractor does, as often as it takes.
        order = np.arange(batch_BS.shape[1])
        mirrored = np.pad(order, (0, missing), "reflect" if len(order) > 1 else "edge")
        padded_B1S = batch_BS[:, torch.from_numpy(mirrored).to(batch_BS.device)][:, None]
        encoded = self._model.audio_model.audio_encoder(input_values=padded_B1S)
        return self._model.audio_model.audio_head(encoded.pooler_output)

    def _frame_rows(self, batch_BKHWC: Tensor) -> Tensor:
        settings = self._settings
        mean, std = (torch.tensor(each, device=batch_BKHWC.device) for each in (settings.mean, settings.std))
        scaled = (batch_BKHWC.float() * settings.rescale_factor - mean) / std
        pixels_BKCHW = scaled.permute(0, 1, 4, 2, 3).contiguous()
        encoded = self._model.video_model.video_encoder(pixel_values_videos=pixels_BKCHW)
        return self._model.video_model.video_head(encoded.pooler_output)

    def _checked(self, vectors_BD: Tensor) -> Tensor:
        return finite(unit_rows(vectors_BD).cpu(), precision="float32")


@dataclass(frozen=True, kw_only=True, slots=True)
class PeAvSettings:
    """Settings of frames and sounds, as the folder of a model gives them.

    Attributes:
        height: Height of a frame in pixels.
        width: Width of it.
        mean: Mean of each colour.
        std: Standard deviation of each colour.
        rescale_factor: Factor of the bytes of a frame.
        sample_rate_hz: Samples per second of the sound.
        hop_length: Samples of a position of the sound.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale_factor: float
    sample_rate_hz: int
    hop_length: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Settings of a folder.

        Raises:
            WeightsError: A file is missing or damaged.
        """
        paths = (folder / "video_preprocessor_config.json", folder / "preprocessor_config.json")
        if missing := [path for path in paths if not path.is_file()]:
            raise WeightsError(f"{missing[0]} is missing. {_REMEDY}")
        video = read_json(paths[0], _VideoSettings, error=WeightsError, remedy=_REMEDY)
        sound = read_json(paths[1], _SoundSettings, error=WeightsError, remedy=_REMEDY)
        return cls(
            height=video.size.height,
            width=video.size.width,
            mean=video.image_mean,
            std=video.image_std,
            rescale_factor=video.rescale_factor,
            sample_rate_hz=sound.sampling_rate,
            hop_length=sound.hop_length,
        )


def _fingerprint(folder: Path) -> str:
    """SHA-256 of all weights files."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            found.update(json.dumps([path.name, hashlib.file_digest(file, "sha256").hexdigest()]).encode())
    return found.hexdigest()
