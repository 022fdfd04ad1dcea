"""A video file of any length in; its clips, decoded and embedded, out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.types import ClipEmbedding
from cavmae_sync.inputs import InputConfig
from cavmae_sync.inputs.model_input import ModelInput, model_input
from cavmae_sync.media import Clip, SamplingRule, iterate_clips
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedClip:
    """A stretch of a file: what was decoded, what the model ate of it, and its vectors.

    Times in all of them count from the start of the clip; `clip.start_seconds` is its place in the file.
    """

    clip: Clip
    inputs: ModelInput
    embedding: ClipEmbedding


def video_inputs(
    config: InputConfig,
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
) -> Iterator[tuple[Clip, ModelInput]]:
    """The clips of a video file, one after the other, and what a model eats of them.

    Memory does not grow with the file.

    Args:
        config: Sizes, alignment and normalisation.
        path: Video file with sound.
        clip_seconds: Length of a clip; the last one is as long as what is left.
        num_frames: Frames of a clip, each with the segment of sound around it.
        sampling: Which moments become frames.

    Raises:
        MediaError: The file cannot be read, or has no picture or no sound.
    """
    for clip in iterate_clips(
        path,
        clip_seconds=clip_seconds,
        hop_seconds=clip_seconds,
        num_frames=num_frames,
        sampling=sampling,
    ):
        yield clip, model_input(clip, alignment_of(clip.duration_seconds, config))


def embed_video(
    embedder: Embedder,
    path: str | os.PathLike[str],
    *,
    clip_seconds: float = CLIP_SECONDS,
    num_frames: int = NUM_FRAMES,
    sampling: SamplingRule = "linspace_inclusive",
    with_patches: bool = False,
) -> Iterator[EmbeddedClip]:
    """The clips of a video file, one after the other, embedded; otherwise as `video_inputs`.

    Args:
        embedder: The model and how it computes.
        path: Video file with sound.
        clip_seconds: Length of a clip; the last one is as long as what is left.
        num_frames: Frames of a clip, each with the segment of sound around it.
        sampling: Which moments become frames.
        with_patches: Whether to keep a vector for every patch of every frame too.

    Raises:
        MediaError: The file cannot be read, or has no picture or no sound.
        WeightsError: The model gives vectors that are not finite.
    """
    for clip, inputs in video_inputs(
        embedder.model.config.inputs,
        path,
        clip_seconds=clip_seconds,
        num_frames=num_frames,
        sampling=sampling,
    ):
        embedding = embedder.embed_inputs(
            inputs,
            frame_seconds_T=torch.from_numpy(clip.frame_seconds_T.copy()),
            start_seconds=clip.start_seconds,
            with_patches=with_patches,
        )
        yield EmbeddedClip(clip=clip, inputs=inputs, embedding=embedding)


def alignment_of(duration_seconds: float, config: InputConfig) -> InputConfig:
    """How sound lies to pictures in a clip of some length.

    Frames of a clip of another length must not be spread over the published ten seconds.
    """
    if abs(duration_seconds - CLIP_SECONDS) <= CLIP_SECONDS / NUM_FRAMES / 2:
        return config
    return config.model_copy(update={"align_length": "valid"})
