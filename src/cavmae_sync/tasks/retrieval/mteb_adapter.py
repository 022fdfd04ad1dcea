"""Adapter of a model to MTEB (`mteb.evaluate`), for its tasks of retrieval between sound and video.

MTEB compares one vector per item by a dot product. With x_k and y_k the unit vectors of simultaneous frames,
the frames side by side, divided by the root of T, give exactly the mean cosine of simultaneous frames:
(x / sqrt T) . (y / sqrt T) = (1/T) sum_k x_k . y_k, the score `diagonal_mean`, and have unit length.

MTEB is an optional dependency: `pip install 'cavmae-sync[mteb]'`.

Letters: B items, T frames per clip, D width, E = T x D.
"""

import dataclasses
import importlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.embedding import Embedder, similarity_matrix
from cavmae_sync.embedding.rows import finite
from cavmae_sync.embedding.video import alignment_of
from cavmae_sync.errors import ConfigError
from cavmae_sync.inputs import cut_segments, normalize_frames, resize_and_crop
from cavmae_sync.inputs.spectrogram import log_mel
from cavmae_sync.media import SamplingRule, sample_times
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, SAMPLE_RATE_HZ
from cavmae_sync.tasks.retrieval.mteb_media import frames_of, waveform_of
from cavmae_sync.weights import weights_fingerprint

Vectors = NDArray[np.floating[Any]] | Tensor

#: Modalities of the model, by MTEB's names.
MODALITIES: Final = ("audio", "video")

#: Time between two frames of a video of which only the sound is given: that of 25 frames a second.
_FRAME_PERIOD_SECONDS: Final = 0.04


class MTEBAdapter:
    """Encoder for MTEB: `mteb.evaluate(MTEBAdapter(embedder), tasks=[...])`.

    Sound of any rate is resampled; videos are decoded as everywhere in this package, also without torchcodec.
    Only the first `clip_seconds` of each item are used, in `num_frames` frames. Queries and documents must be
    cut in the same way, so use one adapter for both.

    Args:
        embedder: The model and how it computes.
        name: `organisation/model` under which MTEB keeps results.
        num_frames: T, frames of a clip, each with the segment of sound around it.
        clip_seconds: Length of an item that is used, from its start.
        sampling: Rule of the moments that become frames.

    Source:
        mteb 2.26, `mteb.models.EncoderProtocol`.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        name: str = "cavmae-sync/model",
        num_frames: int = NUM_FRAMES,
        clip_seconds: float = CLIP_SECONDS,
        sampling: SamplingRule = "linspace_inclusive",
    ) -> None:
        self.embedder = embedder
        self.name = name
        self.num_frames = num_frames
        self.clip_seconds = clip_seconds
        self.sampling: SamplingRule = sampling

    @property
    def mteb_model_meta(self) -> Any:
        """Description under which MTEB stores results: weights, and everything that changes vectors.

        Raises:
            ConfigError: MTEB is not installed.
        """
        return _mteb("mteb.models.model_meta").ModelMeta(
            loader=None,
            name=self.name,
            revision=weights_fingerprint(self.embedder.model),
            release_date=None,
            languages=None,
            n_parameters=sum(each.numel() for each in self.embedder.model.parameters()),
            memory_usage_mb=None,
            max_tokens=None,
            embed_dim=self.num_frames * self.embedder.model.config.width,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name="dot",
            use_instructions=False,
            training_datasets=None,
            modalities=list(MODALITIES),
            experiment_kwargs={
                "num_frames": self.num_frames,
                "clip_seconds": self.clip_seconds,
                "sampling": self.sampling,
                "alignment": self.embedder.model.config.inputs.alignment,
                "representation": self.embedder.representation,
                "precision": self.embedder.precision,
            },
        )

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **_: Any,
    ) -> NDArray[np.float32]:
        """Unit vectors of items, one per item.

        Args:
            inputs: MTEB's loader of items with a column `audio` or `video`.
            task_metadata: Description of the task, with the modality of each side.
            hf_split: Name for messages.
            hf_subset: Name for messages.
            prompt_type: Side of the task, queries or documents; None where a task has no sides.

        Returns:
            float32 [B, E].

        Raises:
            ConfigError: The modality of this side is neither sound alone nor video alone.
            MediaError: A file cannot be read, or has no sound or no video.
            DatasetError: An item is not sound, or not a video.
            WeightsError: The model gives vectors that are not finite.
        """
        kind = _kind_of(task_metadata.get_modalities(prompt_type), task=task_metadata.name)
        encode = {"audio": self._audio, "video": self._video}[kind]
        place = f"{task_metadata.name}-{hf_subset}-{hf_split}-{kind}"
        rows = [encode(item, f"{place}-{i}") for i, item in enumerate(_items(inputs, kind))]
        return torch.stack(rows).numpy()

    def similarity(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """Dot products of all pairs, float32 [B1, B2]: the mean cosine of simultaneous frames."""
        first_BE, second_BE = _rows(embeddings1), _rows(embeddings2)
        return similarity_matrix(first_BE[:, None], second_BE[:, None])

    def similarity_pairwise(self, embeddings1: Vectors, embeddings2: Vectors) -> Tensor:
        """Dot products of row i with row i, float32 [B]."""
        return (_rows(embeddings1) * _rows(embeddings2)).sum(dim=-1)

    def _audio(self, item: Any, name: str) -> Tensor:
        waveform_S = waveform_of(item, max_seconds=self.clip_seconds, name=name)
        config = alignment_of(len(waveform_S) / SAMPLE_RATE_HZ, self.embedder.model.config.inputs)
        segments_TLM = cut_segments(
            log_mel(waveform_S),
            frame_seconds=self._frame_seconds(len(waveform_S) / SAMPLE_RATE_HZ),
            config=config,
        )
        return self._vector(self.embedder.embed_segments(segments_TLM))

    def _frame_seconds(self, duration_seconds: float) -> NDArray[np.float64]:
        """Times of the frames of the video that a sound is compared with, which is another item."""
        return sample_times(
            self.sampling,
            num_frames=self.num_frames,
            duration_seconds=duration_seconds,
            last_frame_seconds=duration_seconds - _FRAME_PERIOD_SECONDS,
            frame_period_seconds=_FRAME_PERIOD_SECONDS,
        )

    def _video(self, item: Any, name: str) -> Tensor:
        frames_THWC = frames_of(
            item,
            num_frames=self.num_frames,
            max_seconds=self.clip_seconds,
            sampling=self.sampling,
            name=name,
        )
        pixels = self.embedder.model.config.inputs.frame_pixels
        frames_TCHW = normalize_frames(resize_and_crop(frames_THWC, pixels=pixels))
        return self._vector(self.embedder.embed_frames(frames_TCHW).visual_PD)

    def _vector(self, vectors_TD: Tensor) -> Tensor:
        return clip_vectors(finite(vectors_TD, precision=self.embedder.precision)[None])[0]


def clip_vectors(vectors_BTD: Tensor) -> Tensor:
    """Unit vectors of clips, one per clip, whose dot products are the scores `diagonal_mean`.

    Args:
        vectors_BTD: Unit rows.

    Returns:
        float32 [B, E].
    """
    return vectors_BTD.flatten(1) / vectors_BTD.shape[1] ** 0.5


def _kind_of(modalities: list[str], *, task: str) -> str:
    if len(modalities) != 1 or modalities[0] not in MODALITIES:
        raise ConfigError(
            f"{task} needs one vector of {' and '.join(modalities)}, but this model makes vectors of sound "
            "alone or of video alone. Choose tasks between audio and video, such as VGGSoundAVA2VRetrieval."
        )
    return modalities[0]


def _items(inputs: Any, kind: str) -> Iterator[Any]:
    """Items of a loader, without the decoding of Hugging Face datasets, which needs torchcodec."""
    dataset = inputs.dataset
    feature = getattr(dataset, "features", {}).get(kind)
    if feature is None:
        for batch in inputs:
            yield from batch[kind]
        return
    if getattr(feature, "decode", False):
        dataset = dataset.cast_column(kind, dataclasses.replace(feature, decode=False))
    for row in dataset:
        yield row[kind]


def _rows(vectors: Vectors) -> Tensor:
    return torch.atleast_2d(torch.as_tensor(vectors).float())


def _mteb(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"MTEB is not installed ({error.name} is missing). Run pip install 'cavmae-sync[mteb]'."
        ) from error
