"""Figure of queries and the clips that a model finds nearest to them."""

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cavmae_sync.data import PreparedDataset
from cavmae_sync.figures.style import (
    GREEN,
    GREY,
    NORMAL,
    SMALL,
    label,
    new_figure,
    show_spectrogram,
    without_ticks,
)
from cavmae_sync.metrics import true_match_ranks
from cavmae_sync.tasks.retrieval.evaluate import RetrievalReport
from cavmae_sync.tasks.retrieval.matches import Direction

#: Letters of an id; longer ones lose their middle.
_ID_LETTERS: Final = 11


def matches_figure(
    report: RetrievalReport,
    clips: PreparedDataset,
    *,
    queries: Sequence[int],
    direction: Direction = "audio_to_visual",
    num_matches: int = 3,
) -> Figure:
    """Figure with one row per query: the query, and the nearest clips, with the own one outlined.

    Args:
        report: Report of all clips.
        clips: The same clips.
        queries: Rows of the dataset to show.
        direction: "audio_to_visual" for sounds as queries, "visual_to_audio" for frames.
        num_matches: Clips shown per query.

    Raises:
        ValueError: The clips are not those of the report, or there is no query.
    """
    if clips.list_sha256 != report.clip_list:
        raise ValueError("The clips are not those of the report. Open the dataset that it was computed from.")
    if not queries:
        raise ValueError("A figure of matches needs at least one query, got none.")
    scores_QG = report.similarity_QG if direction == "audio_to_visual" else report.similarity_QG.T
    ranks_Q = true_match_ranks(scores_QG)
    num_matches = min(num_matches, len(clips))
    figure = new_figure(width_inches=0.93 * (num_matches + 1.5), height_inches=2.2 * len(queries) + 0.5)
    query_kind = "sound" if direction == "audio_to_visual" else "frame"
    figure.suptitle(
        f"Queries are a {query_kind}; nearest first\n(gallery of {len(clips)} clips)", fontsize=NORMAL
    )
    rows = figure.subfigures(len(queries), 1, squeeze=False)[:, 0]
    for row, query in zip(rows, queries, strict=True):
        left, right = row.subfigures(1, 2, width_ratios=(1.5, num_matches))
        _draw_query(left.subplots(), clips, query, kind=query_kind, place=float(ranks_Q[query]) + 1)
        columns = right.subplots(2, num_matches, height_ratios=(3, 1), squeeze=False).T
        _draw_matches(columns, clips, query, scores_QG[query])
    return figure


def nearest(scores_G: Tensor, *, num: int) -> list[int]:
    """Gallery items with the highest scores, best first; scores that are not a number come last."""
    return scores_G.nan_to_num(nan=-float("inf")).argsort(descending=True, stable=True)[:num].tolist()


def _draw_query(axes: Axes, clips: PreparedDataset, query: int, *, kind: str, place: float) -> None:
    name = _short(clips.clip_id(query))
    if kind == "sound":
        show_spectrogram(axes, _sound(clips, query))
        label(axes, x=f"time (s)\nown clip at\nplace {place:g}", title=name)
        axes.set_yticks([])
    else:
        axes.imshow(_frame(clips, query))
        without_ticks(axes)
        label(axes, x=f"own clip at\nplace {place:g}", title=name)


def _draw_matches(columns: NDArray[Any], clips: PreparedDataset, query: int, scores_G: Tensor) -> None:
    for k, item in enumerate(nearest(scores_G, num=len(columns))):
        text = f"{k + 1}.  {float(scores_G[item]):z.2f}"
        _draw_match(columns[k], clips, item, text=text, is_own=item == query)


def _draw_match(axes: Sequence[Axes], clips: PreparedDataset, item: int, *, text: str, is_own: bool) -> None:
    top, bottom = axes
    top.imshow(_frame(clips, item))
    show_spectrogram(bottom, _sound(clips, item))
    for each in axes:
        without_ticks(each)
        for side in each.spines.values():
            side.set(color=GREEN if is_own else GREY, linewidth=4 if is_own else 0.8)
    top.set_title(
        f"{text}\nown clip" if is_own else f"{text}\n",
        fontsize=NORMAL,
        fontweight="bold" if is_own else "normal",
        color=GREEN if is_own else "black",
    )
    bottom.set_xlabel(_short(clips.clip_id(item)), fontsize=SMALL)


def _frame(clips: PreparedDataset, item: int) -> NDArray[Any]:
    return clips.read_frame(item, clips.num_frames // 2)


def _sound(clips: PreparedDataset, item: int) -> NDArray[Any]:
    return clips.read_log_mel_rows(item, start=0, stop=clips.num_spectrogram_frames(item))


def _short(clip_id: str) -> str:
    return clip_id if len(clip_id) <= _ID_LETTERS else f"{clip_id[:4]}…{clip_id[-6:]}"
