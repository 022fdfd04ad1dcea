"""The page that a demo ends with."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import ClipEmbedding, Embedder
from cavmae_sync.evaluation import RetrievalReport, evaluate_retrieval, untrained
from cavmae_sync.evaluation.page import Section, write_page
from cavmae_sync.evaluation.pictures import (
    Direction,
    clip_picture,
    gallery_picture,
    matches_picture,
    training_curves,
)
from cavmae_sync.evaluation.reconstruct import picture_of_reconstruction
from cavmae_sync.model import CAVMAESync, load_model
from cavmae_sync.recipes.demo_config import DemoConfig
from cavmae_sync.training import PretrainConfig, RunFolder, read_metrics

_NAMES: dict[Direction, str] = {
    "audio_to_visual": "sound finds picture",
    "visual_to_audio": "picture finds sound",
}
_METRICS = (
    ("recall_at_1", "first answer right"),
    ("recall_at_5", "right among the first 5"),
    ("recall_at_10", "right among the first 10"),
    ("median_rank", "median rank"),
)
#: Rows of the test set whose matches are shown: chosen before seeing any result.
_QUERIES = (0, 1, 2)


def write_report(
    path: Path, *, run: RunFolder, config: DemoConfig, train: PreparedDataset, test: PreparedDataset
) -> RetrievalReport:
    """Measure the trained and an untrained model on the test clips and write the page.

    Returns:
        Retrieval of the trained model.
    """
    recipe = run.config()
    model = load_model(run.weights)
    embedder = Embedder(model)
    report = evaluate_retrieval(embedder, test)
    fresh = evaluate_retrieval(untrained(embedder, seed=recipe.seed), test)
    write_text(path.with_name("retrieval.json"), report.to_json())
    write_page(
        path,
        title="What the model learned about sound and picture",
        lead=_lead(report, train=train, test=test),
        sections=[
            _numbers(report, fresh, is_held_out=train.list_sha256 != test.list_sha256),
            _curves(run),
            _matches(report, test),
            _one_clip(report, test),
            _reconstruction(model, recipe, test),
            Section(
                title="All clips against all clips",
                paragraphs=[
                    "Each row is a sound, each column a picture; they belong together on the diagonal."
                ],
                pictures=[
                    (gallery_picture(report.similarity_QG), "Similarity of every sound with every picture")
                ],
            ),
        ],
        footer=_footer(run, recipe, config, report),
    )
    return report


def _lead(report: RetrievalReport, *, train: PreparedDataset, test: PreparedDataset) -> str:
    found = [report.metrics[f"{direction}/recall_at_1"].value for direction in _NAMES]
    times = " and ".join(f"{value * len(test):.0f}" for value in found)  # guessing: 1 of all
    return (
        f"After learning from {len(train)} clips without any label, the model looks for the picture of a "
        f"sound among {len(test)} clips, and for the sound of a picture. Its first answer is right {times} "
        "times as often as guessing."
    )


def _numbers(report: RetrievalReport, fresh: RetrievalReport, *, is_held_out: bool) -> Section:
    rows = [
        [
            f"{_NAMES[direction]}, {words}",
            value.text(),
            value.interval_text(),
            value.chance_text(),
            fresh.metrics[f"{direction}/{metric}"].text(),
        ]
        for direction in _NAMES
        for metric, words in _METRICS
        for value in [report.metrics[f"{direction}/{metric}"]]
    ]
    honest = (
        "None of the test clips was trained on."
        if is_held_out
        else "There were too few files to hold any out: these clips are the ones the model was trained on, "
        "so the numbers say how well it remembers, not how well it generalises."
    )
    return Section(
        title="Numbers against chance",
        paragraphs=[honest],
        header=["", "this model", "95 % interval", "chance", "untrained model"],
        rows=rows,
    )


def _curves(run: RunFolder) -> Section:
    rows = [row for row in read_metrics(run.metrics) if row["kind"] in ("train", "validation")]
    return Section(
        title="How it learned",
        paragraphs=["Losses should fall, the contrastive accuracy should rise, on held-out clips too."],
        pictures=[(training_curves(rows), "Training and validation curves")],
    )


def _matches(report: RetrievalReport, test: PreparedDataset) -> Section:
    queries = [row for row in _QUERIES if row < len(test)]
    pictures: list[tuple[Figure, str]] = [
        (
            matches_picture(report, test, queries=queries, direction=direction),
            f"Queries and their top matches, {_NAMES[direction]}",
        )
        for direction in _NAMES
    ]
    return Section(
        title="Queries and what they found",
        paragraphs=[
            f"The first {len(queries)} clips of the test set, not picked. The right clip is outlined."
        ],
        pictures=pictures,
    )


def _one_clip(report: RetrievalReport, test: PreparedDataset) -> Section:
    row = 0
    embedding = ClipEmbedding(
        audio_TD=report.embeddings.audio_NTD[row],
        visual_TD=report.embeddings.visual_NTD[row],
        frame_seconds_T=torch.tensor(test.row(row).frame_seconds, dtype=torch.float64),
    )
    frames = np.stack([test.read_frame(row, t) for t in range(test.num_frames)])
    log_mel = test.read_log_mel_rows(row, start=0, stop=test.num_spectrogram_frames(row))
    return Section(
        title="One clip, moment by moment",
        paragraphs=[
            "How well each stretch of sound (rows) fits each frame (columns). A bright diagonal means that "
            "the model knows not only what belongs together but when."
        ],
        pictures=[
            (clip_picture(embedding, frames_THWC=frames, log_mel_NM=log_mel), "16 x 16 similarity heat map")
        ],
    )


def _reconstruction(model: CAVMAESync, recipe: PretrainConfig, test: PreparedDataset) -> Section:
    figure = picture_of_reconstruction(
        model, test, row=0, masking=recipe.masking, normalize_pixels=recipe.losses.normalize_pixels
    )
    return Section(
        title="Filling in what was hidden",
        paragraphs=[
            f"{recipe.masking.ratio:.0%} of the patches were hidden. A small model in a few minutes learns "
            "blurred outlines; each patch is shown with its true mean and contrast."
        ],
        pictures=[(figure, "Original, visible part, prediction")],
    )


def _footer(run: RunFolder, recipe: PretrainConfig, config: DemoConfig, report: RetrievalReport) -> str:
    packages = run.environment()["packages"]
    made = "Generated clips are a controlled experiment, not a substitute for real video."
    return (
        f"cavmae-sync {packages['cavmae-sync']}, torch {packages['torch']}; seed {config.seed}; "
        f"{recipe.loop.num_steps} steps of {recipe.loop.batch_size} clips; weights "
        f"{report.weights[:12]}, clips {report.clip_list[:12]}. {made if config.videos is None else ''}"
    )
