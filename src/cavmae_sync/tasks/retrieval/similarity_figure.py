"""Figures of similarity: of a whole gallery, and within one clip.

Letters: Q queries, G gallery, T frames per clip, H W pixels, C colours, N spectrogram frames, M mel bins.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.embedding import ClipEmbedding
from cavmae_sync.figures.style import (
    BLUE,
    LARGE,
    MISSING,
    NORMAL,
    ORANGE,
    SCORES,
    SMALL,
    drawable,
    label,
    new_figure,
    show_spectrogram,
)

#: Cells along a side of the matrix; more would be smaller than a dot of the figure.
_MAX_CELLS: Final = 256
#: Names along a side, letters of each, their size in points, and the height of one in inches.
_MAX_NAMES: Final = 40
_MAX_LETTERS: Final = 20
_NAME_SIZE: Final = 8
_INCHES_OF_NAME: Final = 0.14


def gallery_figure(
    similarity_QG: Tensor,
    *,
    clip_ids: Sequence[str] | None = None,
    title: str = "Similarity of sounds and pictures",
) -> Figure:
    """Figure of all scores of a gallery, and of how those of own pairs differ from the rest.

    Args:
        similarity_QG: Square, row = sound, column = frames, own pairs on the diagonal. Above 256 clips, a
            cell is the mean of several scores, but on the diagonal the mean of own pairs only.
        clip_ids: Names of the clips, written along both sides: all up to 40, otherwise some, evenly spread;
            None numbers them.
        title: Printed above.
    """
    similarity_QG = similarity_QG.detach().cpu().float()
    num_clips = len(similarity_QG)
    if similarity_QG.shape != (num_clips, num_clips) or num_clips == 0:
        raise ValueError(f"A figure of a gallery needs a square matrix, got {tuple(similarity_QG.shape)}.")
    names = None if clip_ids is None else short_names(clip_ids)
    side = 5.0 if names is None else 3.4 + _INCHES_OF_NAME * max(min(num_clips, _MAX_NAMES), 14)
    figure = new_figure(width_inches=5.5 + side, height_inches=side)
    figure.suptitle(f"{title} ({num_clips} clips)", fontsize=LARGE)
    left, right = figure.subplots(1, 2, width_ratios=(side, 4.2))
    _draw_matrix(left, _condensed(similarity_QG), num_clips)
    if names is not None:
        _name_clips(left, names)
    _draw_distributions(right, similarity_QG)
    return figure


def short_names(clip_ids: Sequence[str]) -> list[str]:
    """Names of clips for a figure: without folders if they still differ, and shortened.

    >>> short_names(["videos/dog.mp4", "videos/a-very-long-name-of-a-clip@20.000"])
    ['dog.mp4', 'a-very-lon…ip@20.000']
    """
    last = [clip_id.rpartition("/")[2] for clip_id in clip_ids]
    names = last if len(set(last)) == len(set(clip_ids)) else clip_ids
    half = _MAX_LETTERS // 2
    short = [
        name if len(name) <= _MAX_LETTERS else f"{name[:half]}…{name[half + 1 - _MAX_LETTERS :]}"
        for name in names
    ]
    return [drawable(name) for name in short]


def gallery_figures(similarity_QG: Tensor) -> tuple[Figure, Figure]:
    """Halves of `gallery_figure` as figures for small screens: the scores, and their distributions."""
    similarity_QG = similarity_QG.detach().cpu().float()
    matrix = new_figure(width_inches=4.2, height_inches=4)
    _draw_matrix(matrix.subplots(), _condensed(similarity_QG), len(similarity_QG))
    spread = new_figure(width_inches=4.2, height_inches=4)
    _draw_distributions(spread.subplots(), similarity_QG)
    return matrix, spread


def _condensed(similarity_QG: Tensor) -> Tensor:
    if len(similarity_QG) <= _MAX_CELLS:
        return similarity_QG
    cells = F.adaptive_avg_pool2d(similarity_QG[None], _MAX_CELLS)[0]
    own = F.adaptive_avg_pool1d(similarity_QG.diagonal()[None], _MAX_CELLS)[0]
    return cells.diagonal_scatter(own)


def _draw_matrix(axes: Axes, cells: Tensor, num_clips: int) -> None:
    image = axes.imshow(
        np.ma.masked_invalid(cells.numpy()),
        extent=(0.5, num_clips + 0.5, num_clips + 0.5, 0.5),
        cmap=SCORES,
        interpolation="nearest" if len(cells) < _MAX_CELLS else "antialiased",
    )
    note = (
        ""
        if len(cells) == num_clips
        else f"\ncells are means, own pairs on the diagonal ({len(cells)} a side)"
    )
    label(axes, x="picture of clip", y="sound of clip", title=f"every sound with every picture{note}")
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("cosine", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)


def _name_clips(axes: Axes, names: Sequence[str]) -> None:
    places = np.unique(np.linspace(0, len(names) - 1, min(len(names), _MAX_NAMES)).round().astype(int))
    shown = [names[place] for place in places]
    axes.set_xticks(places + 1, shown, rotation=90, fontsize=_NAME_SIZE)
    axes.set_yticks(places + 1, shown, fontsize=_NAME_SIZE)
    some = "" if len(places) == len(names) else f" ({len(places)} of {len(names)} are named)"
    axes.set_xlabel(f"picture of{some}", fontsize=NORMAL)
    axes.set_ylabel("sound of", fontsize=NORMAL)


def _draw_distributions(axes: Axes, similarity_QG: Tensor) -> None:
    is_own = torch.eye(len(similarity_QG), dtype=torch.bool)
    finite = similarity_QG.isfinite()
    own = similarity_QG[is_own & finite].numpy()
    others = similarity_QG[~is_own & finite].numpy()
    everything = np.concatenate([own, others])
    if everything.size == 0:
        axes.text(0.5, 0.5, "no score is a number", ha="center", fontsize=LARGE)
        return
    num_bins = int(np.clip(4 * np.sqrt(own.size), 10, 50))
    bins = np.histogram_bin_edges(everything, bins=num_bins).tolist()
    for scores, name, colour, style in (
        (others, "other pairs", BLUE, "stepfilled"),
        (own, "own pairs", ORANGE, "step"),
    ):
        if scores.size:
            weights = np.full(scores.size, 100 / scores.size)
            text = f"{name}: mean {scores.mean():z.3f}"
            axes.hist(
                scores,
                bins=bins,
                weights=weights,
                histtype=style,
                color=colour,
                label=text,
                linewidth=2,
                alpha=0.6 if style == "stepfilled" else 1,
            )
    axes.set_ylim(0, axes.get_ylim()[1] * 1.15)
    axes.legend(fontsize=SMALL, loc="upper right")
    label(axes, x="cosine", y="percent of the pairs of a kind", title="own pairs should lie to the right")


def clip_figure(
    embedding: ClipEmbedding,
    *,
    frames_THWC: NDArray[np.uint8] | None = None,
    log_mel_NM: NDArray[np.floating] | None = None,
    title: str = "Sound and picture of one clip",
) -> Figure:
    """Figure of the cosines of every sound with every frame of a clip, with frames and spectrogram.

    Args:
        embedding: Vectors of the clip.
        frames_THWC: Frames, drawn below; None leaves them out.
        log_mel_NM: Spectrogram, natural logarithm, drawn on the left; None leaves it out.
        title: Printed above.
    """
    cosines_TT = (embedding.audio_TD @ embedding.visual_TD.T).numpy()
    edges = _cell_edges(embedding.frame_seconds_T.numpy())
    figure = new_figure(width_inches=4.8, height_inches=4.4)
    own = float(cosines_TT.diagonal().mean())
    figure.suptitle(f"{title}: mean of the diagonal {own:z.3f}", fontsize=NORMAL)
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 6), height_ratios=(6, 0.45))
    heat = figure.add_subplot(grid[0, 1])
    mesh = heat.pcolormesh(edges, edges, cosines_TT, cmap=SCORES)
    heat.invert_yaxis()
    heat.plot([edges[0], edges[-1]], [edges[0], edges[-1]], color="white", linewidth=1, linestyle=(0, (4, 6)))
    bar = figure.colorbar(mesh, ax=heat)
    bar.set_label("cosine", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    is_bare = frames_THWC is None, log_mel_NM is None
    label(
        heat,
        x="time of the frame (s)" if is_bare[0] else "",
        y="time of the sound (s)" if is_bare[1] else "",
    )
    if log_mel_NM is not None:
        _draw_sound(figure.add_subplot(grid[0, 0], sharey=heat), log_mel_NM, edges)
        heat.tick_params(labelleft=False)
    if frames_THWC is not None:
        _draw_frames(figure.add_subplot(grid[1, 1], sharex=heat), frames_THWC, edges)
        heat.tick_params(labelbottom=False)
    return figure


def _cell_edges(seconds_T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of cells around given times, half-way to the neighbours."""
    if len(seconds_T) == 1:
        return seconds_T[0] + np.array([-0.5, 0.5])
    middles = (seconds_T[1:] + seconds_T[:-1]) / 2
    first, last = 2 * seconds_T[0] - middles[0], 2 * seconds_T[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


def _draw_sound(axes: Axes, log_mel_NM: NDArray[np.floating], edges: NDArray[np.float64]) -> None:
    show_spectrogram(axes, log_mel_NM, is_upright=True)
    axes.set_ylim(edges[-1], edges[0])
    axes.set_xticks([])
    axes.set_facecolor(MISSING)
    label(axes, x="mel bin →", y="time of the sound (s)")


def _draw_frames(axes: Axes, frames_THWC: NDArray[np.uint8], edges: NDArray[np.float64]) -> None:
    height = float(np.diff(edges).mean())  # in seconds, like the width: square cells
    for frame_HWC, start, stop in zip(frames_THWC, edges[:-1], edges[1:], strict=True):
        axes.imshow(frame_HWC, extent=(start, stop, 0, height), interpolation="antialiased")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, height)
    axes.set_aspect("equal")
    axes.set_yticks([])
    label(axes, x="time of the frame (s)")
