"""Checks on a prepared dataset that need no vectors of a model.

Letters: N clips, T frames of a clip, H W pixels, C channels.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.data import PreparedDataset
from cavmae_sync.data.storage.tables import ClipRow
from cavmae_sync.doctor.diagnosis import standard_score
from cavmae_sync.doctor.examined_model import ExaminedModel
from cavmae_sync.doctor.known_files import PUBLISHED_NUM_FRAMES
from cavmae_sync.doctor.report import Finding
from cavmae_sync.inputs.lag import alignment_lag
from cavmae_sync.inputs.spectrogram import num_spectrogram_frames
from cavmae_sync.paper import CAVMAE_NUM_FRAMES, SAMPLE_RATE_HZ

#: Usual sample rates. Lengths that are off by the ratio of one of them to 16 kHz show a wrong sample rate.
_OTHER_RATES_HZ: Final = (8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000)
#: Side of the small grey frames that are compared, in pixels.
_SMALL_PIXELS: Final = 12
#: Most and least clips whose frames are compared.
_MOST_CLIPS: Final = 50
_LEAST_CLIPS: Final = 8
#: Range of grey levels below which a frame has one colour; range of log-mel below which a sound is constant.
_ONE_COLOUR: Final = 1.0
_ONE_SOUND: Final = 0.1
#: One black and silent recording may be genuine; this many are substitutes.
_LEAST_DEAD: Final = 2
#: Least share of the expected span that frames must cover to count as spread over the clip.
_LEAST_SPREAD: Final = 0.8
#: Largest distance of neighbouring frames that must look alike. In healthy generated clips, neighbours 0.67 s
#: apart differed by 74 % of what any two frames do, neighbours 1.3 s apart by 100 %.
_MOST_APART_SECONDS: Final = 0.8
#: Gain that frames in order exceed. If it cannot be excluded, there are too few clips for a claim.
_LEAST_ORDER_GAIN: Final = 0.1
#: Repeats of the last frame, in most moving clips, that count as filling up.
_LEAST_COPIES: Final = 3


def check_sound(_examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    """Check that lengths of sound fit the clips, and that none shows a wrong sample rate."""
    rows = [clips.row(i) for i in range(len(clips))]
    odd = [row.id for row in rows if num_spectrogram_frames(row.num_samples) != row.num_spectrogram_frames]
    if odd:
        return Finding(
            check="sound",
            status="FAIL",
            measured=f"{len(odd)} of {len(rows)} clips have a log-mel of another length than their sound: "
            f"{odd[0]}",
            needed="one row for each 10 ms",
            advice="Prepare the dataset again",
        )
    seconds_N = np.array([row.num_samples for row in rows]) / SAMPLE_RATE_HZ
    shape = f"16 kHz; sound of {seconds_N.min():.2f} to {seconds_N.max():.2f} s"
    clip_seconds = clips.config.clip_seconds
    if (rate := _suspected_rate(seconds_N, rows, clip_seconds)) is not None:
        kilohertz, median = rate / 1000, float(np.median(seconds_N))
        true, read = (16, kilohertz) if (median < clip_seconds) == (kilohertz > 16) else (kilohertz, 16)
        return Finding(
            check="sound",
            status="FAIL",
            measured=f"{shape}; most last {median:.2f} s, as {clip_seconds:g} s at {true:g} kHz do when they "
            f"are read as {read:g} kHz",
            needed=f"{clip_seconds:g} s",
            advice="Look at the rates in the headers of the sound files, resample to 16 kHz, prepare again",
        )
    flags = {
        name: sum(getattr(row, f"is_{name}") for row in rows)
        for name in ("silent", "still", "short", "duplicate")
    }
    counted = ", ".join(f"{count} {name}" for name, count in flags.items() if count)
    return Finding(
        check="sound",
        status="note" if counted else "ok",
        measured=f"{shape}{'; ' + counted if counted else ''}",
    )


def _suspected_rate(
    seconds_N: NDArray[np.float64], rows: Sequence[ClipRow], clip_seconds: float
) -> int | None:
    video_seconds_N = np.array([row.stop_seconds - row.start_seconds for row in rows])
    for rate in _OTHER_RATES_HZ:
        for ratio in (SAMPLE_RATE_HZ / rate, rate / SAMPLE_RATE_HZ):
            near_clip = np.abs(seconds_N / clip_seconds / ratio - 1) < 0.005
            near_video = np.abs(seconds_N / video_seconds_N / ratio - 1) < 0.005
            if len(rows) >= _LEAST_CLIPS and max(near_clip.mean(), near_video.mean()) > 0.5:
                return rate
    return None


def check_num_frames(examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    """Check that clips have as many frames as the model was trained with."""
    recorded = examined.provenance.num_frames
    trained = recorded or PUBLISHED_NUM_FRAMES.get(examined.provenance.layout)
    if trained is None:
        return Finding(
            check="frame count",
            status="note",
            measured=f"{clips.num_frames} frames; the weights do not say how many they were trained with",
        )
    source = "the header" if recorded else "published"
    if clips.num_frames == trained:
        return Finding(
            check="frame count", status="ok", measured=f"{trained} frames, as in training ({source})"
        )
    ten = clips.num_frames == CAVMAE_NUM_FRAMES
    why = "; ten is what CAV-MAE's extractor writes, to which the README of Sync points" if ten else ""
    return Finding(
        check="frame count",
        status="FAIL",
        measured=f"{clips.num_frames} frames{why}",
        needed=f"{trained} ({source})",
        advice=f"Prepare the videos again with num_frames={trained}",
    )


def check_times(_examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    """Check that frames are in order, inside their clip and spread over it."""
    count = clips.num_frames
    spreads: list[float] = []
    for row in (clips.row(i) for i in range(len(clips))):
        times_T, length = np.array(row.frame_seconds), row.stop_seconds - row.start_seconds
        if (np.diff(times_T) < 0).any() or times_T[0] < 0 or times_T[-1] > length + 1e-3:
            return Finding(
                check="frame times",
                status="FAIL",
                measured=f"{row.id}: times {times_T[0]:.2f} to {times_T[-1]:.2f} s of {length:.2f} s",
                needed="ascending, inside the clip",
                advice="Prepare the dataset again",
            )
        spreads.append(float(times_T[-1] - times_T[0]) / min(length, clips.config.clip_seconds))
    needed = (count - 1) / count
    median = float(np.median(spreads))
    measured = f"ascending, inside the clip, spread over {median:.0%} of it"
    if median >= _LEAST_SPREAD * needed:
        return Finding(check="frame times", status="ok", measured=measured)
    return Finding(
        check="frame times",
        status="FAIL",
        measured=f"{measured}: the frames show a part of the clip, the sound is spread over all of it",
        needed=f"at least {_LEAST_SPREAD * needed:.0%}",
        advice="Extract the frames over the whole clip, or import them with the rule they were extracted by",
    )


def check_frames(_examined: ExaminedModel, clips: PreparedDataset) -> list[Finding]:
    """Checks for filled-up frames and for frames out of order, from the frames alone."""
    small_NTHW = small_frames(clips)
    return [_copies(small_NTHW), _order(clips, small_NTHW)]


def small_frames(clips: PreparedDataset) -> Tensor:
    """Small grey frames of the first clips: float32 [N, T, 12, 12], in grey levels."""
    clips = clips.head(_MOST_CLIPS)
    frames = [[_small(clips.read_frame(i, t)) for t in range(clips.num_frames)] for i in range(len(clips))]
    return torch.stack([torch.stack(of_clip) for of_clip in frames])


def _small(frame_HWC: NDArray[np.uint8]) -> Tensor:
    grey_HW = torch.from_numpy(frame_HWC).float().mean(dim=-1)
    return F.adaptive_avg_pool2d(grey_HW[None, None], _SMALL_PIXELS)[0, 0]


def check_substitutes(_examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    """Check that no clips have one colour and constant sound: such clips replace broken files."""
    still = [index for index in range(len(clips)) if clips.row(index).is_still]
    blank = [index for index in still if _spread(_small(clips.read_frame(index, 0))) < _ONE_COLOUR]
    dead = [clips.clip_id(index) for index in blank if _spread(_log_mel(clips, index)) < _ONE_SOUND]
    if len(dead) >= _LEAST_DEAD:
        return Finding(
            check="substitutions",
            status="FAIL",
            measured=f"{len(dead)} of {len(clips)} clips have one colour and constant sound: {dead[0]}",
            needed="none",
            advice="They replace files that could not be read. `cavmae-sync audit` of the dataset lists "
            "the others in survivors.txt; `evaluate retrieval --list` takes it",
        )
    extra = f"; {len(blank)} with frames of one colour" if blank else ""
    extra += f", one of them with constant sound: {dead[0]}" if dead else ""
    return Finding(
        check="substitutions",
        status="note" if blank else "ok",
        measured=f"0 in {len(clips)} clips{extra}",
    )


def _log_mel(clips: PreparedDataset, index: int) -> Tensor:
    stop = clips.num_spectrogram_frames(index)
    return torch.from_numpy(clips.read_log_mel_rows(index, start=0, stop=stop)).float()


def _spread(values: Tensor) -> float:
    return float(values.max() - values.min())


def _copies(small_NTHW: Tensor) -> Finding:
    same_NT = (small_NTHW[:, 1:] == small_NTHW[:, :-1]).flatten(2).all(-1)
    moving = ~same_NT.all(dim=1)
    if small_NTHW.shape[1] < 2 or int(moving.sum()) < _LEAST_CLIPS:
        return Finding(check="copied frames", status="skipped", measured="too few clips with moving frames")
    last = same_NT[moving].int().flip(1).cumprod(1).sum(1)
    median = int(last.median())
    if median < _LEAST_COPIES:
        return Finding(check="copied frames", status="ok", measured="the last frames differ")
    count = small_NTHW.shape[1]
    return Finding(
        check="copied frames",
        status="FAIL",
        measured=f"in most clips the last {median + 1} of {count} frames are the same: {count - median} "
        f"frames were filled up to {count}, as the official loader does",
        needed=f"{count} different frames",
        advice=f"Extract {count} frames over the whole clip",
    )


def _order(clips: PreparedDataset, small_NTHW: Tensor) -> Finding:
    """Check that neighbouring frames look more alike than distant ones, unless they are far apart."""
    num_frames = small_NTHW.shape[1]
    flat_NTP = small_NTHW.flatten(2)
    distances_NTT = torch.cdist(flat_NTP, flat_NTP, p=1) / flat_NTP.shape[-1]
    near_N = distances_NTT.diagonal(offset=1, dim1=1, dim2=2).mean(-1)
    mean_N = distances_NTT.sum((1, 2)) / (num_frames * max(1, num_frames - 1))
    moving = mean_N > 0.5
    if num_frames < 4 or int(moving.sum()) < _LEAST_CLIPS:
        return Finding(check="frame order", status="skipped", measured="too few frames or clips that move")
    gains_N = 1 - near_N[moving] / mean_N[moving]
    z, gain = standard_score(gains_N), float(gains_N.mean())
    measured = f"neighbouring frames differ by {1 - gain:.0%} of what any two frames do (z = {z:.1f})"
    if z >= 3:
        return Finding(check="frame order", status="ok", measured=measured)
    highest = gain + 3 * float(gains_N.std()) / len(gains_N) ** 0.5
    if (apart := _seconds_apart(clips)) > _MOST_APART_SECONDS or highest >= _LEAST_ORDER_GAIN:
        return Finding(
            check="frame order",
            status="note",
            measured=f"{measured}: {int(moving.sum())} clips that move, frames {apart:.2g} s apart, allow no "
            "claim",
        )
    return Finding(
        check="frame order",
        status="FAIL",
        measured=f"{measured}: the frames seem to be shuffled in time",
        needed="less than 100 % beyond noise",
        advice="Sort the frames by their time, and number them so that they stay sorted",
    )


def check_alignment(examined: ExaminedModel, clips: PreparedDataset) -> Finding:
    """Check that each frame lies in the sound of its own segment; shows the clip with the largest lag."""
    inputs = examined.model.config.inputs
    lags = [
        alignment_lag(
            frame_seconds=clips.frame_seconds(i),
            num_spectrogram_frames=clips.num_spectrogram_frames(i),
            config=inputs,
        )
        for i in range(min(len(clips), _MOST_CLIPS))
    ]
    worst = max(lags, key=lambda lag: float(np.abs(lag.lag_seconds_T).max()))
    is_outside = any(lag.is_outside_T.any() for lag in lags)
    return Finding(
        check="alignment",
        status="note" if is_outside else "ok",
        measured=f"{inputs.alignment}: {worst.to_text()}",
        advice="A model trained with inputs.alignment=centered has no lag" if is_outside else "",
    )


def _seconds_apart(clips: PreparedDataset) -> float:
    times = [clips.row(i).frame_seconds for i in range(min(len(clips), _MOST_CLIPS))]
    return float(np.median([(times_T[-1] - times_T[0]) / (len(times_T) - 1) for times_T in times]))
