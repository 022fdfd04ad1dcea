"""Page at the end of a demo: numbers, curves, matches and figures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from cavmae_sync.atomic import write_text
from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import ClipEmbedding, Embedder
from cavmae_sync.figures import curve_figure
from cavmae_sync.figures.page import Section, write_page
from cavmae_sync.metrics import RetrievalMetrics
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.demo.config import DemoConfig
from cavmae_sync.recipes.demo.page_text import (
    NAMES,
    diagonal_text,
    gallery_text,
    percents,
    result_text,
)
from cavmae_sync.tasks import untrained
from cavmae_sync.tasks.reconstruction import clip_reconstruction_figure
from cavmae_sync.tasks.retrieval import RetrievalReport, evaluate_retrieval
from cavmae_sync.tasks.retrieval.loudness_baseline import loudness_against_brightness
from cavmae_sync.tasks.retrieval.matches_figure import matches_figure
from cavmae_sync.tasks.retrieval.similarity_figure import clip_figure, gallery_figures
from cavmae_sync.training import PretrainConfig, RunFolder, read_metrics
from cavmae_sync.weights import load_model

_METRICS = (
    ("recall_at_1", "first answer right"),
    ("recall_at_5", "right among the first 5"),
    ("recall_at_10", "right among the first 10"),
    ("median_rank", "median rank"),
)
_CURVES = {
    "contrastive": "Contrastive loss",
    "contrastive_accuracy": "Right pairs in a batch",
    "audio_reconstruction": "Error of hidden sound",
    "visual_reconstruction": "Error of hidden pictures",
}
#: Rows of the test set whose matches are shown: chosen before any result was seen.
_QUERIES = (0, 1, 2)


def write_report(
    path: Path, *, run: RunFolder, config: DemoConfig, train: PreparedDataset, test: PreparedDataset
) -> RetrievalReport:
    """Write the page, after measuring the trained and an untrained model on the test clips.

    Returns:
        Retrieval of the trained model.
    """
    recipe = run.config()
    model = load_model(run.weights)
    embedder = Embedder(model)
    report = evaluate_retrieval(embedder, test)
    fresh = evaluate_retrieval(untrained(embedder, seed=recipe.seed), test)
    rule = loudness_against_brightness(test)
    write_text(path.with_name("retrieval.json"), report.to_json())
    write_page(
        path,
        title="What the model learned about sound and picture",
        lead=result_text(report, rule, num_train=len(train), num_test=len(test)),
        sections=[
            _numbers(report, fresh, rule, config=config, is_held_out=train.list_sha256 != test.list_sha256),
            _curves(run),
            _matches(report, test),
            _one_clip(report, test),
            _reconstruction(model, recipe, test),
            _gallery(report),
        ],
        footer=_footer(run, recipe, config, report),
    )
    return report


def _numbers(
    report: RetrievalReport,
    fresh: RetrievalReport,
    rule: Mapping[str, RetrievalMetrics],
    *,
    config: DemoConfig,
    is_held_out: bool,
) -> Section:
    rows = [
        [
            f"{NAMES[direction]}, {words}",
            value.text(),
            value.interval_text(),
            value.chance_text(),
            fresh.metrics[f"{direction}/{metric}"].text(),
            replace(value, value=rule[direction].named()[metric]).text(),
        ]
        for direction in NAMES
        for metric, words in _METRICS
        for value in [report.metrics[f"{direction}/{metric}"]]
    ]
    honest = (
        "None of the test clips was trained on."
        if is_held_out
        else "There were too few files to hold any out: these clips are the ones the model was trained on, "
        "so the numbers say how well it remembers, not how well it generalises."
    )
    why = (
        "The last column has no model: it compares how loudness and brightness go up and down. It is strong "
        "here because everything in generated clips shines as brightly as it sounds. A model may use the "
        "same short cut, so only numbers above that column speak for it."
        if config.videos is None
        else "The last column has no model: it compares how loudness and brightness go up and down. Only "
        "numbers above it, and above guessing, speak for the model."
    )
    return Section(
        title="Numbers beside guessing",
        paragraphs=[honest, why],
        header=["", "this model", "95 % interval", "guessing", "untrained model", "louder is brighter"],
        rows=rows,
    )


def _curves(run: RunFolder) -> Section:
    rows = [row for row in read_metrics(run.metrics) if row["kind"] in ("train", "validation")]
    return Section(
        title="How it learned",
        paragraphs=[
            "Losses and errors should fall and the part of right pairs should rise, on held-out clips "
            "(validation) too. More numbers are in run/metrics.jsonl."
        ],
        figures=[(curve_figure(rows, name, title=title), title) for name, title in _CURVES.items()],
    )


def _matches(report: RetrievalReport, test: PreparedDataset) -> Section:
    queries = [row for row in _QUERIES if row < len(test)]
    figures: list[tuple[Figure, str]] = [
        (
            matches_figure(report, test, queries=[query], direction=direction),
            f"Clip {query} and its nearest clips, {NAMES[direction]}",
        )
        for query in queries
        for direction in NAMES
    ]
    return Section(
        title="Queries and what they found",
        paragraphs=[
            f"The first {len(queries)} clips of the test set, not picked. The right clip is outlined, "
            "where it is among the nearest."
        ],
        figures=figures,
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
    figure = clip_figure(embedding, frames_THWC=frames, log_mel_NM=log_mel, title="The first test clip")
    return Section(
        title="One clip, moment by moment",
        paragraphs=[
            "How well each stretch of sound (rows) fits each frame (columns). If the model knew when things "
            "happen, the dashed diagonal would be the brightest line.",
            diagonal_text(report.embeddings.audio_NTD, report.embeddings.visual_NTD),
        ],
        figures=[(figure, "Similarity of every sound with every frame of a clip")],
    )


def _gallery(report: RetrievalReport) -> Section:
    matrix, spread = gallery_figures(report.similarity_QG)
    return Section(
        title="All clips against all clips",
        paragraphs=[
            "Each row is a sound, each column a picture; what belongs together lies on the diagonal from the "
            "upper left to the lower right.",
            gallery_text(report.similarity_QG),
        ],
        figures=[
            (matrix, "Similarity of every sound with every picture"),
            (spread, "How similar own pairs and other pairs are"),
        ],
    )


def _reconstruction(model: CAVMAESync, recipe: PretrainConfig, test: PreparedDataset) -> Section:
    figure = clip_reconstruction_figure(
        model,
        test,
        row=0,
        masking=recipe.masking,
        normalize_pixels=recipe.losses.normalize_pixels,
        column_inches=1.5,
    )
    return Section(
        title="Filling in what was hidden",
        paragraphs=[
            f"{percents([recipe.masking.ratio])} of the patches were hidden. A small model in a few "
            "minutes learns blurred outlines; each patch is shown with its true mean and contrast."
        ],
        figures=[(figure, "Original, visible part, prediction")],
    )


def _footer(run: RunFolder, recipe: PretrainConfig, config: DemoConfig, report: RetrievalReport) -> str:
    packages = run.environment()["packages"]
    made = "Generated clips are a controlled experiment, not a substitute for real video."
    return (
        f"cavmae-sync {packages['cavmae-sync']}, torch {packages['torch']}; seed {config.seed}; "
        f"{recipe.loop.num_steps} steps of {recipe.loop.batch_size} clips; weights "
        f"{report.weights[:12]}, clips {report.clip_list[:12]}. {made if config.videos is None else ''}"
    )
