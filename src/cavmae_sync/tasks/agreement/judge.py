"""Judge: how well sound and picture of one video belong together, moment by moment.

    moments -> agreement of each -> its percentile among foreign sounds (chance) -> state -> spans
            -> lag at which the whole video agrees best -> offset

What is low for sound that belongs is known from a reference; without one, from the video itself, most of
which must then fit.

Letters: T moments.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from cavmae_sync.errors import DatasetError
from cavmae_sync.tasks.agreement.chance import (
    ForeignSound,
    NullPercentiles,
    null_percentiles,
    short_video_agreement,
    smoothed,
    sounds_moved_within,
)
from cavmae_sync.tasks.agreement.config import AgreementConfig
from cavmae_sync.tasks.agreement.moments import EmbeddedMoments
from cavmae_sync.tasks.agreement.offset import Offset, displaced_blocks, find_offset, reference_lag
from cavmae_sync.tasks.agreement.reference import Reference
from cavmae_sync.tasks.agreement.result import Agreement, NotJudgedReason
from cavmae_sync.tasks.agreement.states import moment_states, spans_of_states, without_short_spans

#: A video less near to the reference than all but this share of its own clips is unlike it.
_UNLIKE_SHARE: Final = 0.01
#: A video stands still where this share of the running mean shows the frame of the moment before.
_STILL_SHARE: Final = 0.99
#: Standard deviation of a normal distribution over its median absolute deviation.
_MAD_TO_DEVIATION: Final = 1.4826
#: Scores are counted in deviations of chance. Those of sound that fits vary at least by this: by one
#: deviation of their own and by one of chance.
_LEAST_DEVIATION: Final = 2**0.5


def judge_agreement(
    moments: EmbeddedMoments, *, reference: Reference | None = None, config: AgreementConfig | None = None
) -> Agreement:
    """Judge one video.

    Args:
        moments: Its vectors.
        reference: Clips like the video, in which sound and picture belong together; None compares the video
            with itself only, which cannot see sound that is foreign throughout.
        config: How it is judged.

    Returns:
        States, chance and offset. What cannot be told is None or "cannot tell", never a number.
    """
    return Judge(reference=reference, config=config).judge(moments)


class Judge:
    """`judge_agreement` for many videos: what depends on the reference only is computed once.

    Args:
        reference: See `judge_agreement`.
        config: See `judge_agreement`.

    Raises:
        DatasetError: The reference has too little sound to say what chance gives.
    """

    def __init__(self, *, reference: Reference | None = None, config: AgreementConfig | None = None) -> None:
        self.reference = reference
        self.config = config or AgreementConfig()
        self._model_lag = 0.0
        if reference is not None:
            self._lowest_score = float(np.quantile(self._own_scores(reference), self.config.error_rate))
            self._least_nearness = self._own_nearness(reference)
            self._model_lag = reference_lag(
                reference,
                silent_below_dbfs=self.config.silent_below_dbfs,
                max_lag_seconds=self.config.max_lag_seconds,
            )

    def judge(self, moments: EmbeddedMoments) -> Agreement:
        """Agreement of one video."""
        config = self.config
        heard_T = moments.heard(config.silent_below_dbfs)
        reason = self._reason_not_to_compare(moments, heard_T)
        percentiles = self._null_percentiles(moments, heard_T) if reason is None else None
        offset = self._offset(moments, heard_T)
        if percentiles is not None and self.reference is None and percentiles.p_value > config.error_rate:
            reason = "out of step" if offset.is_out_of_step else "too uniform or foreign throughout"
        lowest = None if percentiles is None or reason is not None else self._lowest_fitting(percentiles)
        states = without_short_spans(
            moment_states(
                percentiles, heard_T, self._still(moments), lowest=lowest, error_rate=config.error_rate
            ),
            step_seconds=moments.step_seconds,
            min_seconds=config.min_span_seconds,
        )
        short_video = None
        if reason == "too short":
            moved = self._sounds_moved_within(moments, heard_T)
            short_video = short_video_agreement(moments, heard_T=heard_T, foreign=moved)
        return Agreement(
            seconds_T=moments.seconds_T,
            null_percentiles=percentiles,
            loudness_T=moments.loudness_T,
            states=states,
            spans=tuple(spans_of_states(states, moments, percentiles)),
            lowest_score=lowest,
            offset=offset,
            chance_from="within the video" if self.reference is None else "reference",
            reason=reason,
            short_video=short_video,
            needed_seconds=max(self._seconds_apart(moments), config.min_independent * _window(moments)),
        )

    def _reason_not_to_compare(
        self, moments: EmbeddedMoments, heard_T: NDArray[np.bool_]
    ) -> NotJudgedReason | None:
        if not heard_T.any():
            return "no sound"
        if self.reference is not None:
            nearness = np.array(self.reference.nearness(moments, heard_T=heard_T))
            return "unlike the reference" if (nearness < self._least_nearness).any() else None
        num_independent = heard_T.sum() * moments.step_seconds / _window(moments)
        is_long = len(moments.seconds_T) * moments.step_seconds >= self._seconds_apart(moments)
        return None if num_independent >= self.config.min_independent and is_long else "too short"

    def _seconds_apart(self, moments: EmbeddedMoments) -> float:
        """Length of a video in which a running mean has foreign sounds on both sides."""
        return 2 * max(self.config.gap_seconds, moments.window_seconds) + self.config.smooth_seconds

    def _width(self, moments: EmbeddedMoments) -> int:
        """Moments of the running mean: odd, so that it has a middle."""
        return 2 * int(self.config.smooth_seconds / moments.step_seconds / 2) + 1

    def _still(self, moments: EmbeddedMoments) -> NDArray[np.bool_]:
        is_still_T = moments.is_still_T.astype(np.float64)
        all_T = np.ones(len(is_still_T), dtype=np.bool_)
        return smoothed(is_still_T, all_T, width=self._width(moments)) > _STILL_SHARE

    def _null_percentiles(
        self, moments: EmbeddedMoments, heard_T: NDArray[np.bool_], without: int | None = None
    ) -> NullPercentiles:
        if self.reference is None:
            foreign: Iterable[ForeignSound] = self._sounds_moved_within(moments, heard_T)
        else:
            # Each clip of the reference has its own seed: its score does not depend on the clips before it.
            seed = [self.config.seed, 0 if without is None else without + 1]
            foreign = self._sounds_of_reference(
                self.reference, moments, np.random.default_rng(seed), without=without
            )
        return null_percentiles(moments, heard_T=heard_T, foreign=foreign, width=self._width(moments))

    def _sounds_moved_within(
        self, moments: EmbeddedMoments, heard_T: NDArray[np.bool_]
    ) -> Iterable[ForeignSound]:
        return sounds_moved_within(
            moments,
            heard_T=heard_T,
            gap_seconds=self.config.gap_seconds,
            max_sounds=self.config.num_draws,
        )

    def _sounds_of_reference(
        self,
        reference: Reference,
        moments: EmbeddedMoments,
        generator: np.random.Generator,
        *,
        without: int | None = None,
    ) -> Iterable[ForeignSound]:
        return reference.foreign_sounds(
            moments,
            silent_below_dbfs=self.config.silent_below_dbfs,
            num_sounds=self.config.num_draws,
            generator=generator,
            without=without,
        )

    def _own_scores(self, reference: Reference) -> NDArray[np.float64]:
        """Scores of the reference's own clips, each among sounds of the others."""
        scores = [
            self._null_percentiles(clip, heard_T, without=number).score_T
            for number, clip, heard_T in self._clips_with_sound(reference)
        ]
        finite = np.concatenate([np.empty(0), *scores])
        finite = finite[np.isfinite(finite)]
        if finite.size == 0:
            raise DatasetError(
                f"The reference {reference.name} has too little sound: {len(scores)} of "
                f"{len(reference.clips)} clips have any, and half of them should. Take clips with sound."
            )
        return finite

    def _own_nearness(self, reference: Reference) -> NDArray[np.float64]:
        """Nearness, of sounds and of frames, that all but few clips of the reference have to the others."""
        found = [
            reference.nearness(clip, heard_T=heard_T, without=number)
            for number, clip, heard_T in self._clips_with_sound(reference)
        ]
        return np.quantile(np.array(found), _UNLIKE_SHARE, axis=0)

    def _clips_with_sound(
        self, reference: Reference
    ) -> Iterator[tuple[int, EmbeddedMoments, NDArray[np.bool_]]]:
        for number, clip in enumerate(reference.clips):
            heard_T = clip.heard(self.config.silent_below_dbfs)
            if heard_T.any():
                yield number, clip, heard_T

    def _lowest_fitting(self, percentiles: NullPercentiles) -> float:
        """Score below which sound that belongs seldom lies, at the configured rate of error."""
        if self.reference is not None:
            return self._lowest_score
        # Median and median deviation: up to half of the moments may be foreign and hardly move them.
        scores = percentiles.score_T[np.isfinite(percentiles.score_T)]
        middle = float(np.median(scores))
        deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(scores - middle)))
        tail = float(norm.ppf(self.config.error_rate))
        # Where chance is near, only what is below the mean of chance is called low: sure before complete.
        return min(middle + tail * deviation, max(middle + tail * _LEAST_DEVIATION, 0.0))

    def _offset(self, moments: EmbeddedMoments, heard_T: NDArray[np.bool_]) -> Offset:
        config = self.config
        generator = np.random.default_rng([config.seed, 1])
        if self.reference is None:
            foreign: Iterable[ForeignSound] = displaced_blocks(
                moments,
                heard_T=heard_T,
                max_lag_seconds=config.max_lag_seconds,
                max_sounds=config.num_draws,
                generator=generator,
            )
        else:
            foreign = self._sounds_of_reference(self.reference, moments, generator)
        return find_offset(
            moments,
            heard_T=heard_T,
            foreign=foreign,
            max_lag_seconds=config.max_lag_seconds,
            error_rate=config.error_rate,
            corrected_seconds=self._model_lag,
            generator=generator,
        )


def _window(moments: EmbeddedMoments) -> float:
    """Seconds of sound that one moment has for itself: moments nearer than that share sound."""
    return max(moments.window_seconds, moments.step_seconds)
