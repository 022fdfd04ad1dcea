"""States of moments and their spans, by hand."""

import numpy as np

from cavmae_sync.tasks.agreement.chance import NullPercentiles
from cavmae_sync.tasks.agreement.states import moment_states, spans_of_states, without_short_spans

from .handmade import matched

LETTERS = {"f": "fits", "x": "does not fit", "s": "silent", "p": "still", "?": "cannot tell"}


def states(letters: str) -> list:
    return [LETTERS[letter] for letter in letters]


def percentiles(percentile_T: list[float], score_T: list[float]) -> NullPercentiles:
    values = np.array(percentile_T)
    return NullPercentiles(
        agreement_T=values / 2, low_T=values, mid_T=values, high_T=values,
        percentile_T=values, score_T=np.array(score_T), p_value=0.0,
    )  # fmt: skip


def test_each_combination_of_the_two_questions():
    """Above chance and not low; low and not above; neither; both; not defined; silent."""
    found = percentiles([0.99, 0.2, 0.5, 0.99, np.nan, 0.99], [5, -3, 2, -3, np.nan, 5])
    heard_T = np.array([True] * 5 + [False])
    moving_T = np.zeros(6, bool)
    assert moment_states(found, heard_T, moving_T, lowest=0.0, error_rate=0.05) == states("fx???s")
    assert moment_states(found, heard_T, ~moving_T, lowest=0.0, error_rate=0.05) == states("fpppps")
    assert moment_states(None, heard_T, moving_T, lowest=None, error_rate=0.05) == states("?????s")


def test_short_mismatches_are_unknown_and_short_gaps_are_joined():
    def cleaned(letters: str) -> list:
        return list(without_short_spans(states(letters), step_seconds=1.0, min_seconds=3.0))

    assert cleaned("fffxxfff") == states("ffffffff")
    assert cleaned("fffxxxfff") == states("fffxxxfff")
    assert cleaned("xxx??xxx") == states("xxxxxxxx")
    assert cleaned("fff???fff") == states("fff???fff")
    assert cleaned("sss??sss") == states("sss??sss")


def test_spans_cover_the_video_with_the_means_of_their_moments():
    video = matched(seconds=2)  # four moments
    found = percentiles([0.2, 0.4, np.nan, 0.9], [0, 0, 0, 0])
    spans = list(spans_of_states(states("xx??"), video, found))
    assert [(span.start_seconds, span.stop_seconds, span.state) for span in spans] == [
        (0.0, 1.0, "does not fit"),
        (1.0, 2.0, "cannot tell"),
    ]
    assert [span.percentile for span in spans] == [np.mean([0.2, 0.4]), 0.9]
    assert spans[0].duration_seconds == 1.0
    assert {span.agreement for span in spans_of_states(states("????"), video, None)} == {None}
