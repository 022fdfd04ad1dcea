"""The embedder: frames, sounds, clips or datasets of clips in; unit vectors out.

Letters: P (clip, frame) pairs, C channels, H W pixels, L spectrogram frames per segment, M mel bins,
N patches, D width, T frames per clip, V views with K patches each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypedDict, Unpack

import torch
from torch import Tensor

from cavmae_sync.choices import Precision, Representation
from cavmae_sync.compute import Arithmetic, Float32Choice, choose_device
from cavmae_sync.data import ClipDataset, PreparedDataset, make_loader
from cavmae_sync.embedding.inference import device_of, inference
from cavmae_sync.embedding.rows import differs_from_previous, finite, unit_rows
from cavmae_sync.embedding.types import ClipEmbedding, DatasetEmbeddings
from cavmae_sync.inputs.model_input import ModelInput, model_input
from cavmae_sync.media import Clip
from cavmae_sync.model import CAVMAESync, Encoded, Modality
from cavmae_sync.weights import weights_fingerprint

#: Called with how much is done and how much there is.
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class VisualEmbedding:
    """Vectors of frames, on the CPU.

    Attributes:
        visual_PD: float32, unit rows, one per frame.
        patches_PND: float32, unit rows, one per patch in reading order; None unless asked for.
    """

    visual_PD: Tensor
    patches_PND: Tensor | None = None


class EmbedderSettings(TypedDict, total=False):
    """Keyword arguments of `Embedder`, as `Embedder.replace` takes them."""

    device: str | torch.device
    precision: Precision
    batch_size: int
    representation: Representation
    float32_products: Float32Choice


class Embedder:
    """A model, its device and its precision; the only way from frames and sounds to vectors.

    Vectors are the aligned global tokens (or the mean of the aligned patch tokens), divided by their length
    in float32 whatever the precision. Results do not depend on the batch size beyond rounding.

    Args:
        model: Moved to `device`; nothing else about it changes. Training mode is put back after each call.
        device: None leaves a model that is on an accelerator where it is, and otherwise takes CUDA, MPS or
            the CPU, in this order.
        precision: Precision of matrix products inside the model. "int8" keeps rounded copies of the weights.
        batch_size: Frames or segments per pass; bounds memory.
        representation: "global", or "patch_mean" (the published `local_matching`); a model without global
            tokens always compares patch means.
        float32_products: How float32 products are computed: "auto" decides by the processor, None takes the
            setting of the process. It is set for the whole process while the model computes.

    Source:
        Code: Sync, `CAVMAESync.forward_feat` and src/retrieval.py.
    """

    def __init__(
        self,
        model: CAVMAESync,
        *,
        device: str | torch.device | None = None,
        precision: Precision = "float32",
        batch_size: int = 64,
        representation: Representation = "global",
        float32_products: Float32Choice | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size counts frames per pass and must be positive, got {batch_size}.")
        # A model that its user has put on an accelerator stays there.
        is_placed = device is None and device_of(model).type != "cpu"
        self.device = device_of(model) if is_placed else choose_device(device)
        self.model = model.to(self.device)
        self.arithmetic = Arithmetic(self.device, precision=precision, float32_products=float32_products)
        self.batch_size = batch_size
        self.representation: Representation = representation

    @property
    def precision(self) -> Precision:
        """Precision of matrix products inside the model."""
        return self.arithmetic.precision

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments that make an embedder which computes like this one."""
        return {
            "device": self.device,
            "precision": self.precision,
            "batch_size": self.batch_size,
            "representation": self.representation,
            "float32_products": self.arithmetic.float32_products,
        }

    def replace(self, model: CAVMAESync | None = None, **changes: Unpack[EmbedderSettings]) -> Self:
        """Another embedder that computes like this one, except for what is given.

        Args:
            model: Another model; None keeps this one (the same object, not a copy).
            **changes: Settings that differ.
        """
        settings: dict[str, Any] = {**self.settings, **changes}
        return type(self)(self.model if model is None else model, **settings)

    def embed(self, clip: Clip, *, with_patches: bool = False) -> ClipEmbedding:
        """Vectors of a clip: one per modality and frame.

        Args:
            clip: Frames with their times, and 16 kHz sound.
            with_patches: Whether to keep a vector for every patch of every frame too.

        Raises:
            WeightsError: The model gives vectors that are not finite.
            ValueError: The clip's sound has another rate or is shorter than 25 ms.
        """
        return self.embed_inputs(
            model_input(clip, self.model.config.inputs),
            frame_seconds_T=torch.from_numpy(clip.frame_seconds_T.copy()),
            start_seconds=clip.start_seconds,
            with_patches=with_patches,
        )

    def embed_inputs(
        self,
        inputs: ModelInput,
        *,
        frame_seconds_T: Tensor,
        start_seconds: float = 0.0,
        with_patches: bool = False,
    ) -> ClipEmbedding:
        """Vectors of a clip whose inputs are made already; otherwise as `embed`.

        Args:
            inputs: Frames and segments of one clip.
            frame_seconds_T: float64, time of each frame from the start of the clip.
            start_seconds: Start of the clip in its file.
            with_patches: Whether to keep a vector for every patch of every frame too.

        Raises:
            WeightsError: The model gives vectors that are not finite.
        """
        audio_TD = self.embed_segments(inputs.segments_TLM)
        visual = self.embed_frames(inputs.frames_TCHW, with_patches=with_patches)
        return ClipEmbedding(
            audio_TD=finite(audio_TD, precision=self.precision),
            visual_TD=finite(visual.visual_PD, precision=self.precision),
            visual_patches_TND=visual.patches_PND,
            frame_seconds_T=frame_seconds_T,
            start_seconds=start_seconds,
        )

    def embed_segments(self, segments_PLM: Tensor) -> Tensor:
        """Vectors of sounds.

        Args:
            segments_PLM: Normalised log-mel [P, L, 128].

        Returns:
            float32 [P, D] on the CPU, unit rows; NaN where the model gives a zero vector.
        """
        with_patches = self.representation == "patch_mean"
        return self.distinct_rows(
            segments_PLM,
            lambda rows: self._vectors(self.model.encode_audio(rows, with_patches=with_patches)),
        )

    def embed_frames(self, frames_PCHW: Tensor, *, with_patches: bool = False) -> VisualEmbedding:
        """Vectors of frames.

        Args:
            frames_PCHW: Normalised frames.
            with_patches: Whether to keep a vector for every patch too.

        Returns:
            Vectors on the CPU; a row is NaN where the model gives a zero vector.
        """
        if not with_patches:
            reads_patches = self.representation == "patch_mean"
            visual_PD = self.distinct_rows(
                frames_PCHW,
                lambda rows: self._vectors(self.model.encode_visual(rows, with_patches=reads_patches)),
            )
            return VisualEmbedding(visual_PD=visual_PD)
        both_PND = self.distinct_rows(
            frames_PCHW, lambda rows: self._vectors_and_patches(self.model.encode_visual(rows))
        )
        return VisualEmbedding(visual_PD=both_PND[:, 0].contiguous(), patches_PND=both_PND[:, 1:])

    def embed_views(self, inputs: Tensor, shown_VK: Tensor, *, modality: Modality) -> Tensor:
        """Vectors of several views of each segment or frame; a view shows some of the patches.

        Args:
            inputs: Normalised segments [P, L, 128] or frames [P, C, H, W].
            shown_VK: int64, indices of the K patches that each of V views shows.
            modality: Which of the two the inputs are.

        Returns:
            float32 [P, V, D] on the CPU, unit rows; NaN where the model gives a zero vector.
        """
        config, reads_patches = self.model.config, self.representation == "patch_mean"
        shown_VK = shown_VK.to(self.device)

        def encode(rows: Tensor) -> Tensor:
            views = self.model.encode_views(rows, shown_VK, modality, with_patches=reads_patches)
            return self._vectors(views).unflatten(0, (len(rows), -1))

        num_patches = math.prod(config.audio_grid if modality == "audio" else config.visual_grid)
        # As many patches in one pass as without views.
        return self.distinct_rows(
            inputs, encode, batch_size=max(1, self.batch_size * num_patches // shown_VK.numel())
        )

    def embed_dataset(
        self, clips: PreparedDataset, *, num_workers: int = 0, on_progress: OnProgress | None = None
    ) -> DatasetEmbeddings:
        """Vectors of every clip of a dataset, each clip read and encoded once.

        Args:
            clips: Prepared clips; `clips.subset(...)` for some of them.
            num_workers: Processes that read clips.
            on_progress: Called after each batch with clips done and all clips.

        Raises:
            ValueError: The dataset is empty.
        """
        if len(clips) == 0:
            raise ValueError("The dataset has no clips, so there is nothing to embed.")
        loader = make_loader(
            ClipDataset(clips, inputs=self.model.config.inputs),
            batch_size=max(1, self.batch_size // clips.num_frames),
            num_workers=num_workers,
            device=self.device,
        )
        audio: list[Tensor] = []
        visual: list[Tensor] = []
        num_done = 0
        for batch in loader:
            audio.append(self.embed_segments(batch.segments_PLM))
            visual.append(self.embed_frames(batch.normalized_frames()).visual_PD)
            num_done += batch.num_clips
            if on_progress is not None:
                on_progress(num_done, len(clips))
        return DatasetEmbeddings(
            audio_NTD=torch.cat(audio).unflatten(0, (-1, clips.num_frames)),
            visual_NTD=torch.cat(visual).unflatten(0, (-1, clips.num_frames)),
            clip_ids=tuple(clips.clip_ids),
            labels=tuple(clips.labels),
            clip_list=clips.list_sha256,
            weights=weights_fingerprint(self.model),
            made_with=self.made_with(),
        )

    def distinct_rows(
        self, rows: Tensor, encode: Callable[[Tensor], Tensor], *, batch_size: int | None = None
    ) -> Tensor:
        """Results of `encode` for all rows; rows that equal the row before them are computed once.

        By the published alignment, windows of sound at the ends of a clip are moved inwards and come out
        equal: at the published sizes 11 of 16 differ, for plain CAV-MAE, whose window is the whole clip, 1 of
        16. Still frames repeat too.

        Args:
            rows: Segments or frames, one per row.
            encode: Gets some rows on the model's device and gives one row for each; called without gradients.
            batch_size: Most rows of one call; None is the embedder's own.

        Returns:
            One row on the CPU for each of `rows`.
        """
        is_new_P = differs_from_previous(rows)
        distinct = rows[is_new_P]
        with inference(self.model, self.arithmetic):
            parts = [
                encode(part.to(self.device)).cpu() for part in distinct.split(batch_size or self.batch_size)
            ]
        # Indexing outside of inference mode makes a copy that callers may compute gradients with.
        return torch.cat(parts)[is_new_P.cumsum(0).cpu() - 1]

    def made_with(self) -> dict[str, Any]:
        """Representation, precision and configuration of the model, as JSON values."""
        has_global_token = self.model.config.global_token
        return {
            "representation": self.representation if has_global_token else "patch_mean",
            "precision": self.precision,
            "float32_products": self.arithmetic.float32_products,
            "model": self.model.config.model_dump(mode="json"),
        }

    def _vectors(self, encoded: Encoded) -> Tensor:
        return unit_rows(encoded.representation(self.representation))

    def _vectors_and_patches(self, encoded: Encoded) -> Tensor:
        vectors_P1D = self._vectors(encoded)[:, None]
        return torch.cat([vectors_P1D, unit_rows(encoded.patch_tokens_PND)], dim=1)
