"""What a user does, on the CPU and on a far device. test_far_device.py calls it in a process of its own.

Each exercise takes a device and gives numbers; they must agree.
"""

import json
import math
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from cavmae_sync.data import PairDataset, PreparedDataset
from cavmae_sync.embedding import Embedder, embed_video, similarity_matrix
from cavmae_sync.exchange.proof import check_proof, make_proof
from cavmae_sync.inputs import log_mel, normalize_frames
from cavmae_sync.inputs.frames import denormalize_frames
from cavmae_sync.losses import ContrastConfig, LossConfig, contrastive_loss
from cavmae_sync.maps import localization_maps, resized_maps
from cavmae_sync.media.playback import playback
from cavmae_sync.metrics.retrieval import recall_at_k, true_match_ranks
from cavmae_sync.model import CAVMAESync, MaskingConfig
from cavmae_sync.model.masking import Mask, structured_noise
from cavmae_sync.recipes.probing import find_probe_recipe
from cavmae_sync.recipes.run_retrieval import with_retrieval
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks import untrained
from cavmae_sync.tasks.classification.features import FeatureConfig, embed_features
from cavmae_sync.tasks.classification.probe_model import probe_model
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, evaluate_localization
from cavmae_sync.tasks.localization.localize_video import localize
from cavmae_sync.tasks.localization.stage_examples import StageExamples
from cavmae_sync.tasks.reconstruction.video_reconstruction import reconstruct_video
from cavmae_sync.tasks.retrieval import RetrievalConfig, evaluate_retrieval
from cavmae_sync.tasks.temporal import SegmentingConfig, TemporalTask, evaluate_temporal, segment_video
from cavmae_sync.training import (
    Callbacks,
    OptimConfig,
    PretrainConfig,
    Pretraining,
    RunFolder,
    StepReport,
    World,
    read_metrics,
    resolve_by_device,
)
from cavmae_sync.weights import load_model, save_model, weights_fingerprint

from ..training.tiny import TINY_MODEL, tiny_run
from .far_device import READINGS, FarDevice, register

FAR = "far:0"
Numbers = list[float]


class Exercises:
    """Each public method is one."""

    def __init__(self, device: torch.device, stage: Path, dataset: Path) -> None:
        self.device, self.stage = device, stage
        self.clips = PreparedDataset.open(dataset)
        self.video = sorted((stage / "clips").glob("*.mp4"))[0]

    def model(self) -> CAVMAESync:
        return CAVMAESync(TINY_MODEL, generator=torch.Generator().manual_seed(0)).to(self.device)

    def embedder(self) -> Embedder:
        """A model that is on an accelerator stays there; one on the CPU is told so."""
        return Embedder(self.model(), device=None if self.device.type == "far" else "cpu")

    def random(self, *shape: int, seed: int = 0) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def _train(self, config: PretrainConfig, run: RunFolder, stop: int) -> None:
        config, _ = resolve_by_device(config, self.device)
        training = Pretraining(
            config,
            model=self.model(),
            train=PairDataset(self.clips, inputs=config.model.inputs, seed=0),
            validation=PairDataset(self.clips, inputs=config.model.inputs, frame="middle"),
            world=World(rank=0, num_processes=1, device=self.device),
            run=run,
            callbacks=with_retrieval(
                Callbacks(should_stop=lambda: training.step == stop), self.clips, config
            ),
        )
        training.run()

    def pretraining(self, **changes: object) -> Numbers:
        """Steps, validation, retrieval, a painted panel, a checkpoint, and going on from it."""
        config = tiny_run(
            loop={"num_steps": 2, "batch_size": 4, "accumulation": 2, "validate_every_steps": 2}, **changes
        )
        folder = Path(tempfile.mkdtemp()) / "run"
        for stop in (1, 2):
            run = RunFolder(folder) if folder.exists() else RunFolder.create(folder, config, {})
            self._train(config, run, stop)
        rows = [row for row in read_metrics(folder / "metrics.jsonl") if row["kind"] != "retrieval"]
        left_out = ("kind", "clips_per_second", "waiting_fraction")
        return [value for row in rows for key, value in row.items() if key not in left_out]

    def pretraining_of_every_kind(self) -> Numbers:
        """Both directions and representations, global negatives, structured masks, clipped gradients."""
        contrast = ContrastConfig(negatives="global", direction="both", representation="both")
        return self.pretraining(losses=LossConfig(contrast=contrast), masking=MaskingConfig(audio_mode="tf"))

    def readings_of_steps(self) -> Numbers:
        """How often each step waits for its device: once where losses are read, every third time here."""
        if self.device.type == "cpu":
            return [0, 1, 0, 0, 1, 1]
        loop = {"read_every_steps": 3, "log_every_steps": 7, "validate_every_steps": 7, "accumulation": 2}
        config = tiny_run(loop=loop, optim=OptimConfig(clip_gradient_norm=1.0))
        counts: list[float] = []

        def count(_: StepReport) -> None:
            counts.append(len(READINGS))
            READINGS.clear()

        Pretraining(
            config,
            model=self.model(),
            train=PairDataset(self.clips, inputs=config.model.inputs, seed=0),
            validation=None,
            world=World(rank=0, num_processes=1, device=self.device),
            run=RunFolder.create(Path(tempfile.mkdtemp()) / "run", config, {}),
            callbacks=Callbacks(on_step=count),
        ).run()
        return counts[1:]

    def embedding_and_retrieval(self) -> Numbers:
        report = evaluate_retrieval(self.embedder(), self.clips, RetrievalConfig(num_bootstrap=0))
        embeddings = self.embedder().embed_dataset(self.clips)
        return [*_flat(embeddings.audio_NTD), *_flat(embeddings.visual_NTD), len(report.metrics)]

    def embedding_a_video_with_patches(self) -> Numbers:
        found = next(iter(embed_video(self.embedder(), self.video, num_frames=4, with_patches=True)))
        return _flat(found.embedding.visual_patches_TND)

    def scores_and_maps_on_the_device(self) -> Numbers:
        audio, visual = (self.random(12, 4, 8, seed=seed) for seed in (1, 2))
        numbers = []
        for name in ("diagonal_mean", "diagonal_max", "block_mean", "block_max"):
            scores = similarity_matrix(audio, visual, aggregation=name)
            numbers += [
                *_flat(scores),
                *_flat(true_match_ranks(scores)),
                recall_at_k(true_match_ranks(scores), k=5),
            ]
        maps = localization_maps(audio[:, 0], self.random(12, 6, 8), grid=(2, 3))
        return numbers + _flat(resized_maps(maps, height=8, width=9))

    def inputs_on_the_device(self) -> Numbers:
        frames = (self.random(2, 8, 8, 3).sigmoid() * 255).to(torch.uint8)
        normal = normalize_frames(frames)
        return [*_flat(log_mel(self.random(4000) * 0.1)), *_flat(normal), *_flat(denormalize_frames(normal))]

    def masks_and_contrast_on_the_device(self) -> Numbers:
        noise, axes = self.random(3, 12).sigmoid(), self.random(3, 7).sigmoid()
        noise = structured_noise(noise, axes, grid=(3, 4), ratio=0.5, mode="tf")
        mask = Mask.from_noise(noise, ratio=0.5)
        contrast = contrastive_loss(
            self.random(8, 4),
            self.random(8, 4, seed=1),
            config=ContrastConfig(direction="both", negatives="shard:4"),
        )
        return [
            *_flat(mask.keep_PK),
            *_flat(mask.hidden_PN),
            *_flat(contrast.loss),
            *_flat(contrast.accuracy),
        ]

    def features(self) -> Numbers:
        numbers = []
        for config in (FeatureConfig(), FeatureConfig(tokens="register_mean"), FeatureConfig(depth="joint")):
            numbers += _flat(embed_features(self.embedder(), self.clips, config))
        return numbers

    def probing(self, recipe: str = "probe_as20k") -> Numbers:
        config = find_probe_recipe(recipe).with_overrides(
            [
                *("classifier.batch_size=4", "classifier.num_epochs=2", "classifier.averaging.first_epoch=1"),
                *("classifier.averaging.last_epoch=none", "num_bootstrap=20", "learning_rates=none"),
                "optim.learning_rate=1e-3",
            ]
        )
        out = Path(tempfile.mkdtemp()) / "probe"
        result = probe_model(
            self.embedder(), config, train=self.clips, test=self.clips, out=out, allow_overlap=True
        )
        return [*_flat(result.report.scores_NC)]

    def fine_tuning(self) -> Numbers:
        return self.probing("finetune_as20k")

    def segmentation(self) -> Numbers:
        examples = StageExamples(self.clips, StageTruth(self.stage))
        report = evaluate_localization(self.embedder(), examples, LocalizationConfig(num_bootstrap=5))
        return [value.value for value in report.metrics.values()]

    def temporal_segmentation(self) -> Numbers:
        task = TemporalTask(modality="audio", num_bootstrap=5)
        report = evaluate_temporal(self.embedder(), self.clips, StageTruth(self.stage), task=task)
        segment_video(self.embedder(), self.video, config=SegmentingConfig())
        return [value.value for value in report.metrics.values()]

    def localization(self) -> Numbers:
        found = localize(self.embedder(), playback(self.video), maps_per_second=4)
        return _flat(torch.as_tensor(found.maps_MHW))

    def inpainting(self) -> Numbers:
        reconstruct_video(self.embedder(), self.video, normalize_pixels=True)
        return []

    def refusals(self) -> Numbers:
        """What the far device is for: without these it would find nothing."""
        here, there = torch.ones(3), self.random(3)
        attempts = (lambda: here + there, there.numpy, there.double)
        if self.device.type == "cpu":
            return [float(len(attempts))]
        return [float(sum(_is_refused(attempt) for attempt in attempts))]

    def weights_and_proof(self) -> Numbers:
        path = Path(tempfile.mkdtemp()) / "weights.safetensors"
        embedder = self.embedder()
        save_model(embedder.model, path)
        assert weights_fingerprint(load_model(path)) == weights_fingerprint(embedder.model)
        checks = check_proof(embedder, make_proof(embedder))
        untrained(embedder).embed_dataset(self.clips.head(2))
        return [float(len(checks))]


def names() -> list[str]:
    """Of all exercises."""
    tools = ("model", "embedder", "random")
    return [name for name in vars(Exercises) if not name.startswith("_") and name not in tools]


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (RuntimeError, TypeError):
        return True
    return False


def _flat(values: Tensor | None) -> Numbers:
    assert values is not None
    return values.detach().cpu().double().flatten().tolist()


def _difference(ours: Numbers, theirs: Numbers) -> str | None:
    if len(ours) != len(theirs):
        return f"{len(theirs)} numbers, on the CPU {len(ours)}"
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if not math.isclose(one, other, rel_tol=5e-3, abs_tol=2e-4):
            return f"number {place} is {other}, on the CPU {one}"
    return None


def results(stage: Path, dataset: Path) -> Iterator[tuple[str, str | None]]:
    """What went wrong in each exercise on the far device, or None."""
    libraries = register()
    near, far = (Exercises(torch.device(name), stage, dataset) for name in ("cpu", FAR))
    for name in names():
        expected: Callable[[], Numbers] = getattr(near, name)
        try:
            with FarDevice():
                found = getattr(far, name)()
            yield name, _difference(expected(), found)
        except Exception:  # noqa: BLE001 (every error is a result)
            yield name, traceback.format_exc()
    del libraries


def write_results(stage: Path, dataset: Path, out: Path) -> None:
    out.write_text(json.dumps(dict(results(stage, dataset))))
