"""Retrieval among held-out clips while a run trains, shared out over its processes.

N clips, S = 2 modalities (sound, picture), T frames of a clip, D width.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from cavmae_sync.choices import Representation
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import DatasetEmbeddings, Embedder
from cavmae_sync.embedding.inference import device_of
from cavmae_sync.figures import figure_pixels
from cavmae_sync.model import CAVMAESync
from cavmae_sync.tasks.reconstruction import clip_reconstruction_figure
from cavmae_sync.tasks.retrieval import RetrievalConfig, retrieval_report
from cavmae_sync.training import Callbacks, PretrainConfig, World
from cavmae_sync.weights import weights_fingerprint


def with_retrieval(
    callbacks: Callbacks, held_out: PreparedDataset | None, config: PretrainConfig
) -> Callbacks:
    """Callbacks that also measure retrieval and draw reconstructions on held-out clips.

    Args:
        callbacks: Callbacks of the caller; one named "retrieval" takes the place of this.
        held_out: The clips; None measures nothing.
        config: The run: number of clips, tokens that are compared, precision and readers.
    """
    if held_out is None:
        return callbacks
    gallery = held_out.head(config.loop.num_retrieval_clips)
    # Compare the tokens that training compares: others have not learned to agree.
    compared: Representation = (
        "patch_mean" if config.losses.contrast.representation == "patch_mean" else "global"
    )

    def retrieval(model: CAVMAESync, world: World) -> Mapping[str, float]:
        embedder = Embedder(
            model, device=device_of(model), representation=compared, precision=config.loop.decided_precision
        )
        found = embed_together(embedder, gallery, world, num_workers=config.loop.num_readers)
        if not world.is_main:
            return {}
        report = retrieval_report(found, RetrievalConfig(num_bootstrap=0))
        return {name: value.value for name, value in report.metrics.items()}

    is_measured = len(gallery) > 0 and "retrieval" not in callbacks.evaluators
    return replace(
        callbacks,
        shared_evaluators={
            **({"retrieval": retrieval} if is_measured else {}),
            **callbacks.shared_evaluators,
        },
        figures={
            "reconstruction": lambda model: figure_pixels(
                clip_reconstruction_figure(
                    model,
                    held_out,
                    row=0,
                    masking=config.masking,
                    normalize_pixels=config.losses.normalize_pixels,
                )
            ),
            **callbacks.figures,
        },
    )


def embed_together(
    embedder: Embedder, clips: PreparedDataset, world: World, *, num_workers: int = 0
) -> DatasetEmbeddings:
    """Vectors of every clip, each made by one process and given to all: bit for bit those of one process.

    Args:
        embedder: The model and how it computes; the same in every process.
        clips: Prepared clips, at least one.
        world: This process among all.
        num_workers: Processes that read clips, for each process.
    """
    # Clips that are encoded in one pass stay in one process, since the size of a pass decides rounding.
    size = max(1, embedder.batch_size // clips.num_frames)
    rows = torch.arange(len(clips))
    mine = rows[rows // size % world.num_processes == world.rank]
    vectors_NSTD = torch.zeros(len(clips), 2, clips.num_frames, embedder.model.config.width)
    if len(mine):
        found = embedder.embed_dataset(clips.subset(mine.numpy()), num_workers=num_workers)
        vectors_NSTD[mine] = torch.stack([found.audio_NTD, found.visual_NTD], dim=1)
    # Rows of other processes are 0 here, so adding over processes rounds nothing.
    vectors_NSTD = world.sum(vectors_NSTD)
    return DatasetEmbeddings(
        audio_NTD=vectors_NSTD[:, 0].contiguous(),
        visual_NTD=vectors_NSTD[:, 1].contiguous(),
        clip_ids=tuple(clips.clip_ids),
        labels=tuple(clips.labels),
        clip_list=clips.list_sha256,
        weights=weights_fingerprint(embedder.model),
        made_with=embedder.made_with(),
    )
