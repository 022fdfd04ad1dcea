"""A moment of a video: what is seen, where the model sees what it hears, and how strong that is."""

from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from cavmae_sync.figures.style import BLUE, LARGE, NORMAL, SMALL, VERMILION, label, new_figure, without_ticks
from cavmae_sync.tasks.localization.localize_video import Localization
from cavmae_sync.tasks.localization.overlay import OverlayFrame, heat_colours


def moment_figure(found: Localization, moment: int, frame: OverlayFrame) -> Figure:
    """The picture of a moment, the same with its map, and the strength over the whole video.

    Args:
        found: Maps of the video.
        moment: Which.
        frame: Its picture, from `write_overlay`.
    """
    height, width = frame.picture_HWC.shape[:2]
    figure = new_figure(width_inches=10, height_inches=1.9 + min(max(4.6 * height / width, 2.0), 8.0))
    seconds = float(found.seconds_M[moment])
    figure.suptitle(
        f"{seconds:.2f} s, asked by {found.asked_by}: sound and picture match by "
        f"{found.strength_M[moment]:.2f}",
        fontsize=LARGE,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1))
    for place, (picture_HWC, title) in enumerate(
        ((frame.picture_HWC, "picture"), (frame.overlay_HWC, "where the model sees what is heard"))
    ):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(picture_HWC)
        without_ticks(axes)
        axes.set_title(title, fontsize=NORMAL, loc="left")
    colours = ListedColormap((heat_colours() / 255).tolist())
    bar = figure.colorbar(ScalarMappable(Normalize(*found.scale), colours), ax=figure.axes, shrink=0.8)
    bar.set_label("cosine of sound and patch", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    curve = figure.add_subplot(grid[1, :])
    times, strength, _ = found.curve()
    curve.plot(times, strength, color=BLUE, linewidth=2)
    curve.set_xlim(*found.whole_seconds)
    curve.axvline(seconds, color=VERMILION, linestyle="--")
    curve.set_ylim(min(0.0, float(found.strength_M.min())), 1)
    label(curve, x="seconds", y="cosine of sound\nand whole picture")
    return figure
