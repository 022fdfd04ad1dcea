"""Features of one clip of 16 frames: inputs of the model to unit vectors."""

from functools import partial

import torch

from benchmarks.models import base_model, clip_inputs, fresh, num_windows
from benchmarks.part import Answer, Part, Setting, Variant, Work
from benchmarks.textbook.model import TextbookModel, clip_features
from cavmae_sync.choices import Precision
from cavmae_sync.embedding import Embedder
from cavmae_sync.model.flops import embedding_flops


def textbook(setting: Setting) -> Work:
    """Eager float32, one pair after the other, equal windows as often as they come."""
    config = base_model(setting)
    frames, segments = (rows.to(setting.device) for rows in clip_inputs(config))
    model = TextbookModel.like(fresh(config, setting)).to(setting.device).eval()
    found: list[torch.Tensor] = []

    def repeat() -> None:
        found[:] = clip_features(model, frames, segments)

    return Work(
        repeat=repeat,
        warm_up=lambda: clip_features(model, frames[:1], segments[:1]),
        answer=lambda: _answer(*found),
        operations=embedding_flops(config, num_frames=len(frames), num_segments=num_windows(segments)),
    )


def embedder(setting: Setting, *, precision: Precision) -> Work:
    """`Embedder` with its own choices of kernel and backend."""
    config = base_model(setting)
    frames, segments = clip_inputs(config)
    embedder = Embedder(fresh(config, setting).eval(), device=setting.device, precision=precision)
    found: list[torch.Tensor] = []

    def repeat() -> None:
        found[:] = [embedder.embed_segments(segments), embedder.embed_frames(frames).visual_PD]

    def warm_up() -> None:
        embedder.embed_segments(segments[:1])
        embedder.embed_frames(frames[:1])

    return Work(
        repeat=repeat,
        warm_up=warm_up,
        answer=lambda: _answer(*found),
        operations=embedding_flops(config, num_frames=len(frames), num_segments=num_windows(segments)),
        precision=precision,
    )


def _answer(audio: torch.Tensor, visual: torch.Tensor) -> Answer:
    return {"audio": audio.float().cpu().numpy(), "visual": visual.float().cpu().numpy()}


PART = Part(
    name="features",
    title="features of a clip of 16 frames, ViT-B",
    unit="clip",
    rounds=3,
    products=("float32", "bfloat16", "int8"),
    tolerance=1e-2,
    variants=(
        Variant(name="textbook float32", make=textbook),
        Variant(name="float32", make=partial(embedder, precision="float32"), target=2.3, is_set_up=True),
        Variant(
            name="bfloat16",
            make=partial(embedder, precision="bfloat16"),
            target=4.2,
            rounds=2,
            is_set_up=True,
        ),
        Variant(name="int8", make=partial(embedder, precision="int8"), is_set_up=True, precision="int8"),
    ),
    note="The work counted is what is needed: 16 frames and the distinct windows of sound, 11 of 16.",
)
