"""Views of a file: agreement of its sound and picture over time, and where in a frame its sound is.

Agreement is judged by the vectors that the library holds. Maps need the model and the file.

T moments, D width, H W patches.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.encoders import ClipEncoder, OwnEncoder
from cavmae_sync.errors import ConfigError, MediaError
from cavmae_sync.maps import MapConfig, colour_scale
from cavmae_sync.media import Clip
from cavmae_sync.search.timeline import Timelines
from cavmae_sync.tasks.agreement import EmbeddedMoments, judge_agreement
from cavmae_sync.tasks.agreement import text as agreement_text
from cavmae_sync.tasks.localization.moment_map import map_of

#: Rule that lies farthest above another sound on real pictures (docs/results.md: 22 points, attention 15). On
#: generated ones, of a model that `sync_plus` made, attention does (25 points, masking 18).
MAP_RULE: Final = MapConfig(map="masking", num_masks=144)
_HEARD_DBFS: Final = 0.0
_SILENT_DBFS: Final = -120.0


def agreement_of(timelines: Timelines, number: int, *, window_seconds: float) -> dict[str, Any]:
    """Agreement of a file, by its stored vectors, as JSON values.

    Args:
        timelines: The library.
        number: Number of the content.
        window_seconds: Length of the sound around a moment.

    Raises:
        MediaError: It has no sound or no picture, or pictures are missing in between.
    """
    first, count = int(timelines.first_C[number]), int(timelines.count_C[number])
    rows = {
        sense: np.asarray(timelines.mapped(sense)[first : first + count], np.float32)
        for sense in ("audio", "visual")
    }
    is_seen_T, is_heard_T = (np.asarray(rows[sense].any(axis=1)) for sense in ("visual", "audio"))
    if not is_seen_T.any() or not is_heard_T.any():
        raise MediaError("This file has sound and picture at no time, so nothing can agree.")
    low, high = int(is_seen_T.argmax()), count - int(is_seen_T[::-1].argmax())
    if not is_seen_T[low:high].all():
        raise MediaError("This file has no picture in between, so it cannot be judged as a whole.")
    visual_TD, audio_TD, heard_T = rows["visual"][low:high], rows["audio"][low:high], is_heard_T[low:high]
    # Silence has no vector. What stands there is never compared, because its loudness says so.
    audio_TD[~heard_T] = visual_TD[~heard_T]
    same_T = np.concatenate([[False], (visual_TD[1:] == visual_TD[:-1]).all(axis=1)])
    same_T[0] = len(same_T) > 1 and bool(same_T[1])
    start = timelines.seconds_of(number, low)
    moments = EmbeddedMoments(
        seconds_T=start + timelines.step_seconds * np.arange(high - low, dtype=np.float64),
        audio_TD=_unit(audio_TD),
        visual_TD=_unit(visual_TD),
        loudness_T=np.where(heard_T, _HEARD_DBFS, _SILENT_DBFS).astype(np.float32),
        is_still_T=same_T,
        window_seconds=window_seconds,
    )
    told = agreement_text.to_dict(judge_agreement(moments))
    for row in told["seconds"]:
        del row["loudness_dbfs"]  # a library knows what is silent, and not how loud the rest is
    return told


def sound_map(embedder: Embedder, moment: Clip) -> dict[str, Any]:
    """Map of the sound around a moment over the middle square of its frame, as JSON values in [0, 1].

    Args:
        embedder: The model.
        moment: The moment, from `decode_moment`.

    Raises:
        ConfigError: The model has no such map.
    """
    found = map_of(embedder, moment, config=MAP_RULE)
    low, high = colour_scale(found.map_HW[None], MAP_RULE.map)
    scaled_HW = ((found.map_HW - low) / max(high - low, 1e-9)).clamp(0, 1)
    return {
        "seconds": found.seconds,
        "is_silent": found.is_silent,
        "made_by": MAP_RULE.map,
        "values": [[round(value, 4) for value in row] for row in scaled_HW.tolist()],
    }


def own_embedder(encoder: ClipEncoder | None) -> Embedder:
    """The model of an encoder of this package.

    Raises:
        ConfigError: It is another one.
    """
    if not isinstance(encoder, OwnEncoder):
        raise ConfigError("Maps need a model of this package, and this library has none here.")
    return encoder.embedder


def _unit(rows_TD: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(rows_TD / np.linalg.norm(rows_TD, axis=1, keepdims=True))
