"""Video files to vectors, from the file on the disk to the vectors on the disk."""

import shutil
from functools import partial

import numpy as np
import torch

from benchmarks import footage
from benchmarks.models import base_model, clip_inputs, fresh, num_windows, small_training
from benchmarks.part import Answer, Part, Setting, Variant, Work
from benchmarks.textbook import spectrogram, video
from benchmarks.textbook.model import TextbookModel, clip_features
from cavmae_sync.choices import Precision
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.media import read_clip
from cavmae_sync.model import ModelConfig
from cavmae_sync.model.flops import embedding_flops


def textbook(setting: Setting, *, size: str) -> Work:
    """One file after the other, seeking; one pair after the other through the textbook model."""
    config, count = _model(setting, size)
    paths = footage.videos(setting, "360p")[:count]
    times = [read_clip(path).frame_seconds_T for path in paths]
    model = TextbookModel.like(fresh(config, setting)).to(setting.device).eval()
    found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def repeat() -> None:
        found.clear()
        for path, seconds in zip(paths, times, strict=True):
            found.append(_features(model, config, path, seconds, setting))

    def answer() -> Answer:
        audio, visual = zip(*found, strict=True)
        return {"audio": torch.stack(audio).cpu().numpy(), "visual": torch.stack(visual).cpu().numpy()}

    return Work(repeat=repeat, answer=answer, units=len(paths), warm_up=lambda: None)


def _features(model, config, path, seconds, setting):
    decoded = video.frames_by_seeking(path, seconds)
    pixels = config.inputs.frame_pixels
    frames = np.stack([video.normalized(video.square(each, pixels=pixels)) for each in decoded])
    segments = spectrogram.segments(
        video.sound(path, seconds=footage.SECONDS),
        num_frames=len(frames),
        length=config.inputs.segment_length,
        mean=config.inputs.spectrogram_mean,
        std=config.inputs.spectrogram_std,
    )
    return clip_features(model, *(torch.from_numpy(rows).to(setting.device) for rows in (frames, segments)))


def library(setting: Setting, *, size: str, precision: Precision) -> Work:
    """`cavmae-sync embed --videos`: one worker decodes while the model encodes."""
    config, count = _model(setting, size)
    paths = footage.videos(setting, "360p")[:count]
    listed = setting.folder / f"library-{size}-{precision}.txt"
    listed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    out = setting.folder / f"library-{size}-{precision}"
    embedder = Embedder(fresh(config, setting).eval(), device=setting.device, precision=precision)

    # The moments that the textbook takes.
    config_of_clips = LibraryConfig(sampling="linspace_inclusive", store="float32")

    def repeat() -> dict[str, float]:
        shutil.rmtree(out, ignore_errors=True)
        options = FillOptions(num_workers=1)
        pace = add_to_library(embedder, listed, out=out, config=config_of_clips, options=options).throughput
        return {"waiting fraction": pace.waiting_fraction, "clips per second": pace.clips_per_second}

    def answer() -> Answer:
        found = open_library(out).embeddings()
        return {"audio": found.audio_NTD.numpy(), "visual": found.visual_NTD.numpy()}

    frames, segments = clip_inputs(config)
    needed = embedding_flops(config, num_frames=len(frames), num_segments=num_windows(segments))
    return Work(
        repeat=repeat,
        answer=answer,
        units=len(paths),
        operations=needed * len(paths) if size == "base" else None,  # decoding dominates the small one
        precision=precision,
        warm_up=lambda: embedder.embed_frames(frames[:1]),
    )


def _model(setting: Setting, size: str) -> tuple[ModelConfig, int]:
    """The model, and how many files it embeds."""
    config = base_model(setting) if size == "base" else small_training(8).model
    # As published, so that the textbook's alignment is the right one.
    inputs = config.inputs.model_copy(update={"alignment": "padded"})
    return config.model_copy(update={"inputs": inputs}), setting.pick({"base": 6, "small": 16}[size], 1)


def _videos(setting: Setting) -> None:
    footage.videos(setting, "360p")


def _part(size: str, title: str, precisions: tuple[Precision, ...], **how: object) -> Part:
    ours = [
        Variant(name=precision, make=partial(library, size=size, precision=precision), is_set_up=True)
        for precision in precisions
    ]
    return Part(
        name=f"library-{size}",
        title=f"ten-second files of 640 x 360 to stored vectors, {title}",
        unit="clip",
        prepare=_videos,
        variants=(Variant(name="textbook", make=partial(textbook, size=size), rounds=1), *ours),
        products=("float32",),
        **how,
    )


PARTS = (
    _part("base", "ViT-B", ("float32", "int8"), rounds=1),
    _part("small", "the demo's model", ("float32",), rounds=2),
)
