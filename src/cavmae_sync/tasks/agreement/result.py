"""Result of judging one video.

Letters: T moments.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.tasks.agreement.chance import NullPercentiles, ShortVideoAgreement
from cavmae_sync.tasks.agreement.offset import Offset
from cavmae_sync.tasks.agreement.states import AgreementSpan, AgreementState

#: Where foreign sounds are from.
ChanceOrigin = Literal["within the video", "reference"]
#: Why the whole video cannot be judged.
NotJudgedReason = Literal[
    "too short", "no sound", "out of step", "too uniform or foreign throughout", "unlike the reference"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Agreement of sound and picture of one video.

    Attributes:
        seconds_T: Times of the moments.
        null_percentiles: Agreement and its percentile among foreign sounds, by moment; None where nothing
            can be compared.
        loudness_T: Decibels of full scale.
        states: State of each moment.
        spans: Neighbouring moments of one state, in order; they cover the video.
        lowest_score: Scores below this are low for sound that belongs; None where that is not known.
        offset: The constant offset.
        chance_from: Where foreign sounds are from.
        reason: Why the whole video cannot be judged; None where it can.
        short_video: Agreement of a video that is too short to be judged; None for others.
        needed_seconds: How much sound a video must have to be judged without a reference.
    """

    seconds_T: NDArray[np.float64]
    null_percentiles: NullPercentiles | None
    loudness_T: NDArray[np.float32]
    states: tuple[AgreementState, ...]
    spans: tuple[AgreementSpan, ...]
    lowest_score: float | None
    offset: Offset
    chance_from: ChanceOrigin
    reason: NotJudgedReason | None
    short_video: ShortVideoAgreement | None
    needed_seconds: float

    def share(self, state: AgreementState) -> float:
        """Share of the moments in a state, in [0, 1]."""
        return self.states.count(state) / len(self.states)
