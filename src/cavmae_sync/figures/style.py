"""Style of all figures, and how they are saved.

Colours are those of Okabe and Ito, and perceptually uniform maps: both can be distinguished with any colour
vision. No colour carries a meaning alone.
"""

from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from cavmae_sync.atomic import written_whole
from cavmae_sync.media.clock import clock
from cavmae_sync.paper import HOP_MILLISECONDS

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
GREY: Final = "#767676"
#: Cells without a value.
MISSING: Final = "#BDBDBD"
SCORES: Final = colormaps["viridis"].with_extremes(bad=MISSING)
ENERGIES: Final = colormaps["magma"].with_extremes(bad=MISSING)
#: Sizes of text in points. Smaller text is not legible where a figure is shown at the width of a page.
SMALL: Final = 9
NORMAL: Final = 10
LARGE: Final = 12
#: Most letters of a name in a title.
LONGEST: Final = 80

_DOTS_PER_INCH: Final = 150
#: Steps between two marks of time: round numbers of seconds, minutes and hours.
_STEPS_SECONDS: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 36000)
_MAX_MARKS: Final = 11


def new_figure(*, width_inches: float, height_inches: float) -> Figure:
    """Empty figure that belongs to no window and to no global state."""
    return Figure(
        figsize=(width_inches, height_inches), dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white"
    )


def save_figure(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure as PNG, atomically."""
    without_formulas(figure)
    with written_whole(Path(path)) as part:
        figure.savefig(part, format="png")


def figure_pixels(figure: Figure) -> NDArray[np.uint8]:
    """Pixels of a figure, uint8 [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def without_formulas(figure: Figure) -> None:
    """Turn off formulas in all texts: a name with dollar signs would be drawn as one, or raise an error."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def label(axes: Axes, *, x: str = "", y: str = "", title: str = "") -> None:
    """Set the texts around a plot, and their sizes."""
    axes.set_xlabel(x, fontsize=NORMAL)
    axes.set_ylabel(y, fontsize=NORMAL)
    if title:
        axes.set_title(title, fontsize=NORMAL, loc="left")
    axes.tick_params(labelsize=SMALL)


def drawable(text: str, *, max_letters: int = LONGEST) -> str:
    """Name as it can be drawn: shortened, and with "?" for letters that the font does not have."""
    font = get_font(findfont(FontProperties()))
    letters = "".join(letter if font.get_char_index(ord(letter)) else "?" for letter in text)
    return letters if len(letters) <= max_letters else f"{letters[: max_letters - 1]}…"


def time_axis(axes: Axes, start_seconds: float, stop_seconds: float) -> None:
    """Set an axis of time from left to right, with marks as in a media player."""
    axes.set_xlim(start_seconds, stop_seconds)
    length = stop_seconds - start_seconds
    step = next((step for step in _STEPS_SECONDS if length / step <= _MAX_MARKS), _STEPS_SECONDS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(_clock_of_tick))


def _clock_of_tick(seconds: float, _: int | None) -> str:
    return clock(seconds, with_tenths=True)


def without_ticks(axes: Axes) -> None:
    """Remove the ticks, so that only a border remains."""
    axes.set_xticks([])
    axes.set_yticks([])


def show_spectrogram(
    axes: Axes, log_mel_NM: NDArray[np.floating], *, is_upright: bool = False, **limits: Any
) -> Any:
    """Draw a spectrogram with time in seconds from left to right and low frequencies below.

    Args:
        axes: Where to draw.
        log_mel_NM: Natural logarithm of energies, [spectrogram frames, mel bins]; NaN is drawn grey.
        is_upright: Time from top to bottom instead, low frequencies on the left.
        limits: `vmin` and `vmax`, where several spectrograms share one scale.

    Returns:
        Image of matplotlib, for a colour bar.
    """
    num_frames, num_mels = log_mel_NM.shape
    seconds = num_frames * HOP_MILLISECONDS / 1000
    values = np.ma.masked_invalid(np.asarray(log_mel_NM, dtype=np.float32))
    return axes.imshow(
        values if is_upright else values.T,
        extent=(0, num_mels, seconds, 0) if is_upright else (0, seconds, 0, num_mels),
        origin="upper" if is_upright else "lower",
        aspect="auto",
        cmap=ENERGIES,
        interpolation="antialiased",
        **limits,
    )
