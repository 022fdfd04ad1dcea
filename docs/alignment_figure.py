"""Draw docs/images/alignment.png: `python docs/alignment_figure.py`."""

from pathlib import Path

from cavmae_sync.figures.alignment import lag_figure
from cavmae_sync.figures.style import save_figure
from cavmae_sync.media import sample_times
from cavmae_sync.paper import CLIP_SECONDS, NUM_FRAMES, SEGMENT_LENGTHS

#: Spectrogram frames of ten seconds, and frames a second of the video.
_SPECTROGRAM_FRAMES = 998
_RATE = 25


def main() -> None:
    """Draw the lag in a clip of ten seconds whose frames are taken as for the released checkpoint."""
    times_T = sample_times(
        "linspace_inclusive",
        num_frames=NUM_FRAMES,
        duration_seconds=CLIP_SECONDS,
        last_frame_seconds=CLIP_SECONDS - 1 / _RATE,
        frame_period_seconds=1 / _RATE,
    )
    figure = lag_figure(
        times_T.tolist(),
        num_spectrogram_frames=_SPECTROGRAM_FRAMES,
        segment_lengths=[SEGMENT_LENGTHS["1s"], SEGMENT_LENGTHS["4s"]],
    )
    save_figure(figure, Path(__file__).parent / "images" / "alignment.png")


if __name__ == "__main__":
    main()
