"""Position tables (spec 2.2 and 7.7)."""

import math

import torch

from cavmae_sync.model.positions import sine_cosine_positions


def test_the_first_token_is_all_sin_0_and_cos_0():
    zeros, ones = torch.zeros(192), torch.ones(192)
    assert torch.equal(sine_cosine_positions(768, (8, 26))[0], torch.cat([zeros, ones, zeros, ones]))


def test_the_next_column_differs_in_the_first_half_only():
    table = sine_cosine_positions(768, (8, 26))
    differs = table[1] != table[0]
    assert differs[:384].any()
    assert not differs[384:].any()


def test_the_next_row_differs_in_the_second_half_only():
    table = sine_cosine_positions(768, (8, 26))
    differs = table[26] != table[0]
    assert not differs[:384].any()
    assert differs[384:].any()


def test_every_value_equals_the_formula():
    rows, columns, width = 3, 5, 24
    table = sine_cosine_positions(width, (rows, columns))
    for r in range(rows):
        for c in range(columns):
            expected = []
            for position in (c, r):
                angles = [position * 10000 ** (-k / (width / 4)) for k in range(width // 4)]
                expected += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            torch.testing.assert_close(table[r * columns + c], torch.tensor(expected), atol=1e-6, rtol=0)
