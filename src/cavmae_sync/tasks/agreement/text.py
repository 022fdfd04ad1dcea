"""Agreement of a video as sentences, as CSV and as JSON values."""

import math
from dataclasses import asdict
from typing import Any, Final, get_args

import numpy as np

from cavmae_sync.atomic import csv_text
from cavmae_sync.media.clock import clock
from cavmae_sync.tasks.agreement.offset import BLOCK_SECONDS, MIN_BLOCKS, Offset
from cavmae_sync.tasks.agreement.reference import MIN_REFERENCE_CLIPS
from cavmae_sync.tasks.agreement.result import Agreement, NotJudgedReason
from cavmae_sync.tasks.agreement.states import AgreementSpan, AgreementState

#: Columns of `to_csv`.
COLUMNS: Final = (
    "time_seconds",
    "agreement",
    "chance_low",
    "chance_mid",
    "chance_high",
    "percentile",
    "loudness_dbfs",
    "state",
)
#: Sound this much early or late is in step, as far as frames half a second apart can tell.
IN_STEP_SECONDS: Final = 0.3
#: An interval wider than this says little.
UNSURE_SECONDS: Final = 2.0
_MAX_SPANS: Final = 4
_REASONS: Final[dict[NotJudgedReason, str]] = {
    "too short": "Not enough to tell: the video has too few moments with sound to compare with each other.",
    "no sound": "Not enough to tell: there is no sound above the threshold of silence anywhere.",
    "out of step": "The sound fits pictures of another time than its own: it is early or late as a whole.",
    "unlike the reference": "Not enough to tell: sounds or pictures are unlike those of the reference, so "
    "that what is usual there says nothing about this video. Compare with videos like it (--reference).",
    "too uniform or foreign throughout": "Not enough to tell: over the whole video, sounds fit their own "
    "pictures no better than those of other moments. Either all moments are alike, or the sound is foreign "
    "throughout. Compare with other videos (--reference) to know which.",
}


def verdict(agreement: Agreement) -> str:
    """Result in two or three sentences."""
    sentences = [_REASONS[agreement.reason]] if agreement.reason else _shares(agreement)
    if agreement.reason == "too short":
        sentences += _short_video_sentences(agreement)
    return " ".join([*sentences, offset_words(agreement.offset)])


def offset_words(offset: Offset) -> str:
    """Offset in a sentence, with "late" or "early" beside every sign."""
    if offset.p_value is None:
        return (
            f"Too short to look for an offset: it needs {MIN_BLOCKS * BLOCK_SECONDS:.0f} s of video, or "
            "--reference."
        )
    if offset.seconds is None or offset.low is None or offset.high is None:
        return "No offset found: no lag stands out from chance."
    between = f"95 % interval {offset.low:+.1f} to {offset.high:+.1f} s, + is late"
    if offset.high - offset.low > UNSURE_SECONDS:
        return f"They agree best at a lag of {offset.seconds:+.1f} s, but that is unsure ({between})."
    if abs(offset.seconds) <= IN_STEP_SECONDS:
        return f"Sound and picture are in step within {IN_STEP_SECONDS:.1f} s ({between})."
    side = "late" if offset.seconds > 0 else "early"
    return f"The sound is {abs(offset.seconds):.1f} s {side} ({between})."


def _short_video_sentences(agreement: Agreement) -> list[str]:
    """Its agreement all the same, that this proves little, and what would allow a judgement."""
    sentences = []
    found = agreement.short_video
    if found is not None:
        ends = sorted({f"{found.lowest:.3f}", f"{found.highest:.3f}"}, key=float)
        sentences.append(
            f"The sound agrees with its pictures by {found.agreement:.3f}. Moved to {found.num_ways} other "
            f"places within the video it agrees by {' to '.join(ends)}, in {found.num_as_good} of them as "
            "much or more. So few places prove nothing."
        )
    sentences.append(
        f"To be judged alone a video needs {agreement.needed_seconds:.0f} s of sound; a shorter one needs "
        f"other videos (--reference, a prepared dataset of {MIN_REFERENCE_CLIPS} clips or more)."
    )
    return sentences


def _shares(agreement: Agreement) -> list[str]:
    fits, unknown = agreement.share("fits"), agreement.share("cannot tell")
    silent, still = agreement.share("silent"), agreement.share("still")
    sentences = [f"Sound and picture belong together in {fits:.0%} of the video."]
    foreign = [span for span in agreement.spans if span.state == "does not fit"]
    if foreign:
        times = ", ".join(_times(span) for span in foreign[:_MAX_SPANS])
        more = f" and in {len(foreign) - _MAX_SPANS} more spans" if len(foreign) > _MAX_SPANS else ""
        sentences.append(f"From {times}{more} they do not.")
    else:
        sentences.append("Nowhere is the sound found to be foreign.")
    rest = [(unknown, "it cannot be told"), (silent, "it is silent"), (still, "the picture stands still")]
    parts = [f"in {share:.0%} {what}" for share, what in rest if share > 0]
    if parts:
        text = ", ".join(parts)
        sentences.append(f"{text[0].upper()}{text[1:]}.")
    return sentences


def _times(span: AgreementSpan) -> str:
    return f"{clock(span.start_seconds)} to {clock(span.stop_seconds)}"


def per_second(agreement: Agreement) -> list[dict[str, Any]]:
    """One row for each second of the video, of the moment nearest to its middle; None where no value is."""
    found, seconds_T = agreement.null_percentiles, agreement.seconds_T
    values_T = (
        ()
        if found is None
        else (found.agreement_T, found.low_T, found.mid_T, found.high_T, found.percentile_T)
    )
    rows = []
    for second in range(math.floor(seconds_T[0]), math.floor(seconds_T[-1]) + 1):
        nearest = int(np.abs(seconds_T - (second + 0.5)).argmin())
        values = [_number(part_T[nearest]) for part_T in values_T] or [None] * 5
        loudness = round(float(agreement.loudness_T[nearest]), 1)
        rows.append(dict(zip(COLUMNS, (second, *values, loudness, agreement.states[nearest]), strict=True)))
    return rows


def to_csv(agreement: Agreement) -> str:
    """`per_second` as CSV with a header; empty cells where there is no value."""
    return csv_text([COLUMNS, *(tuple(row.values()) for row in per_second(agreement))])


def to_dict(agreement: Agreement) -> dict[str, Any]:
    """All results as JSON values."""
    names = ("seconds", "low", "high", "p_value", "chance_high", "corrected_seconds")
    offset: dict[str, Any] = {name: getattr(agreement.offset, name) for name in names}
    offset["lags_seconds"] = agreement.offset.lags_K.tolist()
    offset["curve"] = [_number(value) for value in agreement.offset.curve_K.tolist()]
    percentiles, short_video = agreement.null_percentiles, agreement.short_video
    states: tuple[AgreementState, ...] = get_args(AgreementState)
    return {
        "verdict": verdict(agreement),
        "chance_from": agreement.chance_from,
        "reason": agreement.reason,
        "needed_seconds": agreement.needed_seconds,
        "glance": None if short_video is None else asdict(short_video),
        "shares": {state: agreement.share(state) for state in states},
        "p_value": None if percentiles is None else percentiles.p_value,
        "lowest_score": agreement.lowest_score,
        "offset": offset,
        "spans": [asdict(span) for span in agreement.spans],
        "seconds": per_second(agreement),
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
