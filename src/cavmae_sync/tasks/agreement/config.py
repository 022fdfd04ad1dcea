"""Configurations of agreement: how a video is judged, and how a test with planted faults is made."""

from typing import Annotated

from pydantic import Field

from cavmae_sync.config import Config
from cavmae_sync.media.loudness import SILENT_BELOW_DBFS


class AgreementConfig(Config):
    """Configuration of judging one video."""

    smooth_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Length of the running mean over moments. Longer is surer, and blurs the ends of spans."""
    min_span_seconds: Annotated[float, Field(ge=0)] = 4.0
    """A shorter span is not reported as one that does not fit."""
    error_rate: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Share of fitting moments that may be called low, and of foreign ones that may pass as fitting."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = SILENT_BELOW_DBFS
    """Sound around a moment that is quieter (root mean square, decibels of full scale) is silence."""
    gap_seconds: Annotated[float, Field(ge=0)] = 2.0
    """Within a video, sounds nearer to a frame than this, or than a window, are not foreign to it."""
    max_lag_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Largest offset that is looked for, either way."""
    num_draws: Annotated[int, Field(ge=20)] = 200
    """Foreign sounds that chance is taken from, at most."""
    min_independent: Annotated[int, Field(ge=4)] = 20
    """Without a reference: least number of windows with sound that do not overlap."""
    seed: int = 0
    """Seed of the foreign sounds and of the resamples."""


class PlantedConfig(Config):
    """Size of a test with planted faults, and its seed."""

    num_videos: Annotated[int, Field(gt=0)] = 30
    """Rows of clips; each row is judged with every fault."""
    clips_per_video: Annotated[int, Field(gt=0)] = 6
    """Clips of a row."""
    num_bootstrap: Annotated[int, Field(ge=0)] = 500
    """Resamples of the rows behind the 95 % intervals; 0 gives none."""
    seed: int = 0
    """Seed of the plan, and of the weights of the untrained control."""
