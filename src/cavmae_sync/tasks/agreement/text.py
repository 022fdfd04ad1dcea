"""An agreement as words, as a table for other programs, and as JSON values."""

import math
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from cavmae_sync.atomic import csv_text
from cavmae_sync.media.clock import clock
from cavmae_sync.tasks.agreement.judge import Agreement, Reason, State, Stretch
from cavmae_sync.tasks.agreement.offset import MIN_STRETCHES, STRETCH_SECONDS, Offset
from cavmae_sync.tasks.agreement.reference import MIN_REFERENCE_CLIPS

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
_REASONS: Final[dict[Reason, str]] = {
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
    """The result in two or three sentences."""
    sentences = [_REASONS[agreement.reason]] if agreement.reason else _shares(agreement)
    if agreement.reason == "too short":
        sentences += _of_short(agreement)
    return " ".join([*sentences, offset_words(agreement.offset)])


def offset_words(offset: Offset) -> str:
    """The offset in a sentence. The sign of a number is never left to be guessed."""
    if offset.p_value is None:
        return (
            f"Too short to look for an offset: {MIN_STRETCHES * STRETCH_SECONDS:.0f} s of video at least, or "
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


def _of_short(agreement: Agreement) -> list[str]:
    """What is seen all the same, how little that says, and what would say more."""
    sentences = []
    found = agreement.glance
    if found is not None:
        span = sorted({f"{found.lowest:.3f}", f"{found.highest:.3f}"}, key=float)
        sentences.append(
            f"What is seen: the sound agrees with its pictures by {found.agreement:.3f}. In {found.num_ways} "
            f"other places within the video it would agree by {' to '.join(span)}, in {found.num_as_good} of "
            "them as much or more. So few places prove nothing."
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
    foreign = [stretch for stretch in agreement.stretches if stretch.state == "does not fit"]
    if foreign:
        spans = ", ".join(_span(stretch) for stretch in foreign[:_MAX_SPANS])
        more = f" and in {len(foreign) - _MAX_SPANS} more spans" if len(foreign) > _MAX_SPANS else ""
        sentences.append(f"From {spans}{more} they do not.")
    else:
        sentences.append("Nowhere is the sound found to be foreign.")
    rest = [(unknown, "it cannot be told"), (silent, "it is silent"), (still, "the picture stands still")]
    parts = [f"in {share:.0%} {what}" for share, what in rest if share > 0]
    if parts:
        text = ", ".join(parts)
        sentences.append(f"{text[0].upper()}{text[1:]}.")
    return sentences


def _span(stretch: Stretch) -> str:
    return f"{clock(stretch.start_seconds)} to {clock(stretch.stop_seconds)}"


def per_second(agreement: Agreement) -> list[dict[str, Any]]:
    """One row for each second of the video, of the moment nearest to its middle; None where no value is."""
    place, seconds_T = agreement.standing, agreement.seconds_T
    rows = []
    for second in range(math.floor(seconds_T[0]), math.floor(seconds_T[-1]) + 1):
        nearest = int(np.abs(seconds_T - (second + 0.5)).argmin())
        values = (
            (None,) * 5
            if place is None
            else (
                _number(part[nearest])
                for part in (
                    place.agreement_T,
                    place.low_T,
                    place.mid_T,
                    place.high_T,
                    place.percentile_T,
                )
            )
        )
        last: tuple[float, State] = (float(agreement.loudness_T[nearest]), agreement.states[nearest])
        rows.append(dict(zip(COLUMNS, (second, *values, round(last[0], 1), last[1]), strict=True)))
    return rows


def to_csv(agreement: Agreement) -> str:
    """`per_second` as CSV with a header; empty cells where there is no value."""
    return csv_text([COLUMNS, *(tuple(row.values()) for row in per_second(agreement))])


def to_dict(agreement: Agreement) -> dict[str, Any]:
    """Everything, as JSON values."""
    names = ("seconds", "low", "high", "p_value", "chance_high", "corrected_seconds")
    offset: dict[str, Any] = {name: getattr(agreement.offset, name) for name in names}
    offset["lags_seconds"] = agreement.offset.lags_K.tolist()
    offset["curve"] = [_number(value) for value in agreement.offset.curve_K.tolist()]
    place = agreement.standing
    states: tuple[State, ...] = ("fits", "does not fit", "silent", "still", "cannot tell")
    return {
        "verdict": verdict(agreement),
        "chance_from": agreement.chance_from,
        "reason": agreement.reason,
        "needed_seconds": agreement.needed_seconds,
        "glance": None if agreement.glance is None else asdict(agreement.glance),
        "shares": {state: agreement.share(state) for state in states},
        "p_value": None if place is None else place.p_value,
        "lowest_score": agreement.lowest_score,
        "offset": offset,
        "spans": [asdict(stretch) for stretch in agreement.stretches],
        "seconds": per_second(agreement),
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
