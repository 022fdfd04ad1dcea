"""Clips of a video file of any length, one after the other, with their vectors."""

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
    """A clip of a file: the decoded clip, the inputs of the model, and its vectors.

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
    """Clips of a video file, one after the other, each with its inputs for a model.

    Memory does not grow with the file.

    Args:
        config: Sizes, alignment and normalisation.
        path: Video file with sound.
        clip_seconds: Length of a clip; the last clip is as long as the rest of the file.
        num_frames: Frames of a clip, each with the segment of sound around it.
        sampling: Rule for the times of frames.

    Raises:
        MediaError: The file cannot be read, or lacks a video or an audio stream.
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
    """Embedded clips of a video file, one after the other; otherwise as `video_inputs`.

    Args:
        embedder: The model and how it computes.
        path: Video file with sound.
        clip_seconds: Length of a clip; the last clip is as long as the rest of the file.
        num_frames: Frames of a clip, each with the segment of sound around it.
        sampling: Rule for the times of frames.
        with_patches: Whether to keep a vector for every patch of every frame too.

    Raises:
        MediaError: The file cannot be read, or lacks a video or an audio stream.
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
    """Alignment of segments with frames for a clip of some length.

    The published alignment spreads frames over ten seconds. With it, a clip of another length, by more than
    half the distance of two frames, is aligned over its own length. The other rules fit any length.
    """
    if config.alignment != "padded" or abs(duration_seconds - CLIP_SECONDS) <= CLIP_SECONDS / NUM_FRAMES / 2:
        return config
    return config.model_copy(update={"alignment": "valid"})
