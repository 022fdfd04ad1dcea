"""True states of a clip, by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cavmae_sync.tasks.temporal.truth import states_at_frames, true_states

from .shorthand import text


def made_up_truth() -> Any:
    """Object 1 sounds from 2 to 4 s and is always visible; object 2 is visible from 5 s on."""

    def thing(number: int, visible: list[bool]) -> SimpleNamespace:
        return SimpleNamespace(number=number, is_visible_T=np.array(visible))

    return SimpleNamespace(
        events=[SimpleNamespace(start_seconds=2.0, stop_seconds=4.0)],
        sounding=lambda second: (1,) if 2 <= second < 4 else (),
        objects=[thing(1, [True] * 10), thing(2, [False] * 5 + [True] * 5)],
        frame_seconds_T=np.arange(10.0),
        frame_index=int,
    )


@pytest.mark.parametrize(
    ("modality", "expected"),
    [("audio", "1-2A 2-4B 4-9A"), ("visual", "1-5A 5-9B"), ("both", "1-2A 2-4B 4-5A 5-9C")],
)
def test_true_states_by_hand(modality: Any, expected: str):
    clip: Any = SimpleNamespace(start_seconds=1.0, stop_seconds=9.0)
    assert text(true_states(made_up_truth(), clip, modality=modality)) == expected


def test_states_seen_only_at_frames():
    clip: Any = SimpleNamespace(start_seconds=1.0, stop_seconds=9.0, frame_seconds=(0.0, 2.0, 4.0, 6.0))
    states = true_states(made_up_truth(), clip, modality="audio")
    assert text(states_at_frames(states, clip)) == "1-2A 2-4B 4-9A"
