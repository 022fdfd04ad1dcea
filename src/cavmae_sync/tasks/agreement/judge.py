"""How well sound and picture of one video belong together, moment by moment, and what that says.

    track -> agreement of each moment -> where it stands among foreign sounds (chance) -> state -> spans
                                      -> lag at which the video agrees best -> offset

Two questions are asked of a moment, each with its own rate of error:
    above chance?     more than 95 % of foreign sounds agree less with the same picture
    below its own?    sound that belongs is as low as this only 5 % of the time
Above chance and not low: it fits. Low and not above chance: it does not fit. Otherwise it cannot be told.
Sound that belongs is known from a reference; without one, from the video itself, most of which must then fit.

Letters: T moments, R draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import norm

from cavmae_sync.config import Config
from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.agreement.chance import (
    Draw,
    Glance,
    NullPercentiles,
    draws_within,
    glance,
    null_percentiles,
    smoothed,
)
from cavmae_sync.tasks.agreement.offset import Offset, displaced_stretches, offset_of, reference_lag
from cavmae_sync.tasks.agreement.reference import Reference
from cavmae_sync.tasks.agreement.track import Track

State = Literal["fits", "does not fit", "silent", "still", "cannot tell"]
Source = Literal["within the video", "reference"]
#: Why nothing is said of a whole video.
Reason = Literal[
    "too short", "no sound", "out of step", "too uniform or foreign throughout", "unlike the reference"
]

#: A video less near to the reference than all but this share of its own clips is none of their kind.
_UNLIKE_SHARE: Final = 0.01
_MAD_TO_DEVIATION: Final = 1.4826  # of a normal distribution
#: By this, in deviations of chance, scores of sound that fits vary at least: their own spread and chance's.
_LEAST_DEVIATION: Final = 2**0.5


class AgreementConfig(Config):
    """How the agreement of a video is judged."""

    smooth_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Length of the running mean over moments. Longer is surer, and blurs the ends of spans."""
    min_span_seconds: Annotated[float, Field(ge=0)] = 4.0
    """A shorter stretch is not reported as one that does not fit."""
    error_rate: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Share of fitting moments that may be called low, and of foreign ones that may pass as fitting."""
    silent_below_dbfs: Annotated[float, Field(lt=0)] = -60.0
    """Sound around a moment that is quieter (root mean square, decibels of full scale) is silence."""
    gap_seconds: Annotated[float, Field(ge=0)] = 2.0
    """Within a video, sounds nearer to a picture than this, or than a window, are not foreign to it."""
    max_lag_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Largest offset that is looked for, either way."""
    num_draws: Annotated[int, Field(ge=20)] = 200
    """Foreign sound tracks that chance is taken from, at most."""
    min_independent: Annotated[int, Field(ge=4)] = 20
    """Without a reference: least number of windows with sound that do not overlap."""
    seed: int = 0
    """Of the foreign tracks and resamples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Neighbouring moments of one state.

    Attributes:
        start_seconds: On the file's timeline.
        stop_seconds: Its end.
        state: What is true of it.
        agreement: Mean smoothed cosine; None where there is none.
        percentile: Mean share of foreign sounds that agree less; None where there is none.
    """

    start_seconds: float
    stop_seconds: float
    state: State
    agreement: float | None
    percentile: float | None

    @property
    def duration_seconds(self) -> float:
        """Its length."""
        return self.stop_seconds - self.start_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What sound and picture of one video say about each other.

    Attributes:
        seconds_T: Times of the moments.
        standing: Agreement and its place in chance, by moment; None where nothing can be compared.
        loudness_T: Decibels of full scale.
        states: State of each moment.
        stretches: Neighbouring moments of one state, in order; they cover the video.
        lowest_score: Scores below this are low for sound that belongs; None where that is not known.
        offset: The constant offset.
        chance_from: Where foreign sounds are from.
        reason: Why nothing is said of the whole video; None where something is.
        glance: What a video that is too short shows all the same; None for others.
        needed_seconds: How much sound a video must have to be judged without a reference.
    """

    seconds_T: NDArray[np.float64]
    standing: NullPercentiles | None
    loudness_T: NDArray[np.float32]
    states: tuple[State, ...]
    stretches: tuple[Stretch, ...]
    lowest_score: float | None
    offset: Offset
    chance_from: Source
    reason: Reason | None
    glance: Glance | None
    needed_seconds: float

    def share(self, state: State) -> float:
        """Share of the moments in a state, in [0, 1]."""
        return self.states.count(state) / len(self.states)


def agreement_of(
    track: Track, *, reference: Reference | None = None, config: AgreementConfig | None = None
) -> Agreement:
    """Judge one video.

    Args:
        track: Its vectors.
        reference: Clips like the video, in which sound and picture belong together; None compares the video
            with itself only, which cannot see sound that is foreign throughout.
        config: How.

    Returns:
        States, chance and offset. What cannot be told is said to be so, and is no number.
    """
    return Judge(reference=reference, config=config).of(track)


class Judge:
    """`agreement_of` for many videos: what is asked of the reference is asked once."""

    def __init__(self, *, reference: Reference | None = None, config: AgreementConfig | None = None) -> None:
        """Takes what `agreement_of` takes.

        Raises:
            DatasetError: The reference has too little sound to say what chance gives.
        """
        self.reference = reference
        self.config = config or AgreementConfig()
        self._lag = 0.0
        if reference is not None:
            own_scores = self._own_scores(reference)
            self._lowest_score = float(np.quantile(own_scores, self.config.error_rate))
            self._least_nearness = self._own_nearness(reference)
            self._lag = reference_lag(
                reference,
                silent_below_dbfs=self.config.silent_below_dbfs,
                max_lag_seconds=self.config.max_lag_seconds,
            )

    def of(self, track: Track) -> Agreement:
        """The agreement of a video."""
        heard_T = track.loudness_T >= self.config.silent_below_dbfs
        reason = self._reason_before(track, heard_T)
        place = self._null_percentiles(track, heard_T) if reason is None else None
        offset = self._offset(track, heard_T)
        if place is not None and self.reference is None and place.p_value > self.config.error_rate:
            reason = "out of step" if offset.excludes_step else "too uniform or foreign throughout"
        lowest = None if place is None or reason is not None else self._lowest_of(place)
        still_T = (
            smoothed(track.is_still_T.astype(np.float64), np.ones_like(heard_T), width=self._width(track))
            > 0.99
        )
        states = _states(place, heard_T, still_T, lowest=lowest, error_rate=self.config.error_rate)
        states = _without_short(states, track.step_seconds, self.config.min_span_seconds)
        return Agreement(
            seconds_T=track.seconds_T,
            standing=place,
            loudness_T=track.loudness_T,
            states=states,
            stretches=tuple(_stretches(states, track, place)),
            lowest_score=lowest,
            offset=offset,
            chance_from="within the video" if self.reference is None else "reference",
            reason=reason,
            glance=glance(track, heard_T=heard_T, draws=self._turned(track, heard_T))
            if reason == "too short"
            else None,
            needed_seconds=self._needed_seconds(track),
        )

    def _needed_seconds(self, track: Track) -> float:
        independent = self.config.min_independent * max(track.window_seconds, track.step_seconds)
        apart = 2 * max(self.config.gap_seconds, track.window_seconds) + self.config.smooth_seconds
        return max(independent, apart)

    def _turned(self, track: Track, heard_T: NDArray[np.bool_]) -> Iterator[Draw]:
        config = self.config
        return draws_within(
            track, heard_T=heard_T, gap_seconds=config.gap_seconds, num_draws=config.num_draws
        )

    def _reason_before(self, track: Track, heard_T: NDArray[np.bool_]) -> Reason | None:
        if not heard_T.any():
            return "no sound"
        if self.reference is not None:
            nearness = np.array(self.reference.nearness(track, heard_T=heard_T))
            return "unlike the reference" if (nearness < self._least_nearness).any() else None
        independent = heard_T.sum() * track.step_seconds / max(track.window_seconds, track.step_seconds)
        needs = 2 * max(self.config.gap_seconds, track.window_seconds) + self.config.smooth_seconds
        is_long = len(track.seconds_T) * track.step_seconds >= needs
        return None if independent >= self.config.min_independent and is_long else "too short"

    def _width(self, track: Track) -> int:
        """Moments of the running mean: odd, so that it has a middle."""
        return 2 * int(self.config.smooth_seconds / track.step_seconds / 2) + 1

    def _null_percentiles(
        self, track: Track, heard_T: NDArray[np.bool_], without: int | None = None
    ) -> NullPercentiles:
        config = self.config
        if self.reference is None:
            draws = self._turned(track, heard_T)
        else:
            draws = self.reference.draws(
                track,
                silent_below_dbfs=config.silent_below_dbfs,
                num_draws=config.num_draws,
                generator=np.random.default_rng([config.seed, 0 if without is None else without + 1]),
                without=without,
            )
        return null_percentiles(track, heard_T=heard_T, draws=draws, width=self._width(track))

    def _own_scores(self, reference: Reference) -> NDArray[np.float64]:
        """Scores of the reference's own clips, each among sounds of the others."""
        scores = []
        for number, track in enumerate(reference.tracks):
            heard_T = track.loudness_T >= self.config.silent_below_dbfs
            if heard_T.any():
                scores.append(self._null_percentiles(track, heard_T, without=number).score_T)
        everything = np.concatenate([np.empty(0), *scores])
        everything = everything[np.isfinite(everything)]
        if everything.size == 0:
            raise DatasetError(
                f"The reference {reference.name} has too little sound: {len(scores)} of "
                f"{len(reference.tracks)} clips have any, and half of them should. Take clips with sound."
            )
        return everything

    def _own_nearness(self, reference: Reference) -> NDArray[np.float64]:
        """What all but few of the reference's clips reach among the others: of sounds, of pictures."""
        found = []
        for number, track in enumerate(reference.tracks):
            heard_T = track.loudness_T >= self.config.silent_below_dbfs
            if heard_T.any():
                found.append(reference.nearness(track, heard_T=heard_T, without=number))
        return np.quantile(np.array(found), _UNLIKE_SHARE, axis=0)

    def _lowest_of(self, place: NullPercentiles) -> float:
        if self.reference is not None:
            return self._lowest_score
        scores = place.score_T[np.isfinite(place.score_T)]
        middle = float(np.median(scores))
        deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(scores - middle)))
        tail = float(norm.ppf(self.config.error_rate))
        # Where chance is near, only what is below the mean of chance is called low: sure before complete.
        return min(middle + tail * deviation, max(middle + tail * _LEAST_DEVIATION, 0.0))

    def _offset(self, track: Track, heard_T: NDArray[np.bool_]) -> Offset:
        config = self.config
        generator = np.random.default_rng([config.seed, 1])
        if self.reference is None:
            draws = displaced_stretches(
                track,
                heard_T=heard_T,
                max_lag_seconds=config.max_lag_seconds,
                num_draws=config.num_draws,
                generator=generator,
            )
        else:
            draws = self.reference.draws(
                track,
                silent_below_dbfs=config.silent_below_dbfs,
                num_draws=config.num_draws,
                generator=generator,
            )
        return offset_of(
            track,
            heard_T=heard_T,
            draws=draws,
            max_lag_seconds=config.max_lag_seconds,
            error_rate=config.error_rate,
            corrected_seconds=self._lag,
            generator=generator,
        )


def _states(
    place: NullPercentiles | None,
    heard_T: NDArray[np.bool_],
    still_T: NDArray[np.bool_],
    *,
    lowest: float | None,
    error_rate: float,
) -> list[State]:
    if place is None or lowest is None:
        return [
            "silent" if not heard else "still" if still else "cannot tell"
            for heard, still in zip(heard_T, still_T, strict=True)
        ]
    # Comparisons with NaN are false: what has no score is neither above nor low.
    above_T = place.percentile_T >= 1 - error_rate
    low_T = place.score_T < lowest
    defined_T = np.isfinite(place.score_T)
    states: list[State] = []
    for heard, still, above, low, defined in zip(heard_T, still_T, above_T, low_T, defined_T, strict=True):
        if not heard:
            states.append("silent")
        elif defined and above and not low:
            states.append("fits")
        elif still:
            states.append("still")
        else:
            states.append("does not fit" if defined and low and not above else "cannot tell")
    return states


def _without_short(states: Sequence[State], step_seconds: float, min_seconds: float) -> tuple[State, ...]:
    """Short mismatches become unknown; then short unknown stretches between two of one state join them."""
    cleaned: list[State] = list(states)
    for first, stop in _runs(states):
        if states[first] == "does not fit" and (stop - first) * step_seconds < min_seconds:
            cleaned[first:stop] = _repeated("cannot tell", stop - first)
    runs = list(_runs(cleaned))
    for (before, _), (first, stop), (after, _) in zip(runs, runs[1:], runs[2:], strict=False):
        is_short = (stop - first) * step_seconds < min_seconds
        joins = cleaned[before] == cleaned[after] and cleaned[before] in {"fits", "does not fit"}
        if cleaned[first] == "cannot tell" and is_short and joins:
            cleaned[first:stop] = _repeated(cleaned[before], stop - first)
    return tuple(cleaned)


def _repeated(state: State, count: int) -> list[State]:
    return [state] * count


def _runs(states: Sequence[State]) -> Iterator[tuple[int, int]]:
    first = 0
    for place in range(1, len(states) + 1):
        if place == len(states) or states[place] != states[first]:
            yield first, place
            first = place


def _stretches(states: Sequence[State], track: Track, place: NullPercentiles | None) -> Iterator[Stretch]:
    step = track.step_seconds
    for first, stop in _runs(states):
        yield Stretch(
            start_seconds=float(track.seconds_T[first]) - step / 2,
            stop_seconds=float(track.seconds_T[stop - 1]) + step / 2,
            state=states[first],
            agreement=None if place is None else _mean(place.agreement_T[first:stop]),
            percentile=None if place is None else _mean(place.percentile_T[first:stop]),
        )


def _mean(values: NDArray[np.float64]) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
