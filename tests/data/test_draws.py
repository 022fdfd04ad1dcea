"""Random words that depend on seed, purpose and draw alone."""

import numpy as np

from cavmae_sync.data import Draw
from cavmae_sync.data.draws import Purpose, first_random_words, random_words


def test_words_depend_on_every_part_of_the_key() -> None:
    keys = [
        (0, Purpose.FRAME, Draw(0, 0, 0)),
        (1, Purpose.FRAME, Draw(0, 0, 0)),
        (0, Purpose.AUGMENT, Draw(0, 0, 0)),
        (0, Purpose.FRAME, Draw(1, 0, 0)),
        (0, Purpose.FRAME, Draw(0, 1, 0)),
        (0, Purpose.FRAME, Draw(0, 0, 1)),
    ]
    assert len({int(random_words(*key)[0]) for key in keys}) == len(keys)


def test_frames_are_drawn_evenly() -> None:
    drawn = [int(random_words(0, Purpose.FRAME, Draw(0, clip))[0] % 16) for clip in range(8000)]
    counts = np.bincount(drawn, minlength=16)
    assert ((counts - 500) ** 2 / 500).sum() < 37.7  # chi-squared with 15 degrees of freedom, p = 0.001


def test_words_of_many_draws_are_those_of_each() -> None:
    draws = [
        Draw(epoch, clip, occurrence) for epoch in (0, 7) for clip in (0, 2**40) for occurrence in (0, 3)
    ]
    for purpose in (Purpose.FRAME, Purpose.MASK):
        alone = [int(random_words(2**63, purpose, draw)[0]) for draw in draws]
        assert first_random_words(2**63, purpose, draws).tolist() == alone
    assert len(first_random_words(0, Purpose.FRAME, [])) == 0
