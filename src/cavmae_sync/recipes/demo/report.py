"""Page at the end of a demo: numbers, curves, matches and figures."""

import json
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
from cavmae_sync.metrics import retrieval_metrics
from cavmae_sync.model import CAVMAESync
from cavmae_sync.recipes.demo.config import DemoConfig
from cavmae_sync.recipes.demo.page_text import (
    MEASURES_TEXT,
    NAMES,
    diagonal_text,
    gallery_text,
    percents,
    result_text,
)
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.reconstruction import clip_reconstruction_figure
from cavmae_sync.tasks.retrieval import RetrievalConfig, RetrievalReport
from cavmae_sync.tasks.retrieval.knowledge import Knowledge, Row
from cavmae_sync.tasks.retrieval.knowledge_figure import knowledge_figure
from cavmae_sync.tasks.retrieval.knowledge_table import HEADINGS, cell, knowledge_dict
from cavmae_sync.tasks.retrieval.matches_figure import matches_figure
from cavmae_sync.tasks.retrieval.measured import Beside, Measured, measure_model
from cavmae_sync.tasks.retrieval.similarity_figure import clip_figure, gallery_figures
from cavmae_sync.tasks.retrieval.stage_ceiling import read_moments
from cavmae_sync.tasks.retrieval.verdict import verdicts
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
#: Clips on which linear baselines are fitted: more cost minutes and change little.
_FITTED_CLIPS = 400
#: Rows of the test set whose matches are shown: chosen before any result was seen.
_QUERIES = (0, 1, 2)


def write_report(
    path: Path,
    *,
    run: RunFolder,
    config: DemoConfig,
    train: PreparedDataset,
    test: PreparedDataset,
    stage: Path | None,
) -> Measured:
    """Write the page, after measuring the trained model and all that stands beside it on the test clips.

    Args:
        path: HTML file.
        run: Run of the model.
        config: Configuration of the demo.
        train: Clips that it learned from.
        test: Clips to measure with.
        stage: Stage of the test clips, whose truth is known; None for own videos.

    Returns:
        Retrieval of the trained model, with its controls.
    """
    recipe = run.config()
    model = load_model(run.weights)
    measured = measure_model(
        Embedder(model),
        test,
        RetrievalConfig(),
        beside=Beside(
            moments=None if stage is None else read_moments(test, StageTruth(stage)),
            train_clips=train.head(_FITTED_CLIPS),
            seed=recipe.seed,
        ),
    )
    report, known = measured.report, measured.known
    if known is None:
        raise ValueError("The page needs the controls of its numbers.")
    content = report.to_dict() | {"knowledge": knowledge_dict(known)}
    write_text(path.with_name("retrieval.json"), json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_page(
        path,
        title="What the model learned about sound and picture",
        lead=result_text(known, num_train=len(train), num_test=len(test)),
        sections=[
            _knowledge(known),
            _numbers(measured, known, is_held_out=train.list_sha256 != test.list_sha256),
            _curves(run),
            _matches(report, test),
            _one_clip(report, test),
            _reconstruction(model, recipe, test),
            _gallery(report),
        ],
        footer=_footer(run, recipe, config, report),
    )
    return measured


def _knowledge(known: Knowledge) -> Section:
    rows = [["chance", *(known.model.means[measure].chance_text() for measure in known.measures)]]
    rows += [[_row_name(row), *(f"{cell(row, m)} %" for m in known.measures)] for row in known.shown()]
    return Section(
        title="What it knows, and what only looks like it",
        paragraphs=[MEASURES_TEXT, *(verdict.line() for verdict in verdicts(known))],
        header=["", *(HEADINGS[measure] for measure in known.measures)],
        rows=rows,
        figures=[(knowledge_figure(known), "The model beside what knows nothing, and the truth")],
    )


def _row_name(row: Row) -> str:
    kinds = {"baseline": "no learning: ", "ceiling": "the truth: "}
    return f"{kinds.get(row.group, '')}{row.name}"


def _numbers(measured: Measured, known: Knowledge, *, is_held_out: bool) -> Section:
    report, controls, best = measured.report, measured.controls, known.best("both", "baseline")
    if controls is None or best is None:
        raise ValueError("The page needs the controls of its numbers.")
    fresh = controls.reports["untrained"]
    ranks = controls.baselines[best.name].matches["both"].ranks(report.config.ties)
    rule = {name: retrieval_metrics(ranks_N, num_gallery=len(ranks_N)) for name, ranks_N in ranks.items()}
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
        f"The last column has no model: it compares how two curves go up and down, {best.name}, the best of "
        f"{len(known.of('baseline'))} such rules. A model may use the same short cut, so only numbers above "
        "that column, and above guessing, speak for it."
    )
    return Section(
        title="Numbers beside guessing",
        paragraphs=[honest, why],
        header=["", "this model", "95 % interval", "guessing", "untrained model", best.name],
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
