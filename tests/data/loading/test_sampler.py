"""The order of clips: complete, repeatable, the same for any number of processes, resumable anywhere."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.data import ClipOrder, ClipSampler, Draw


def batches(num: int, **arguments: int) -> list[list[Draw]]:
    order = ClipOrder(arguments.pop("num_clips", 23), seed=arguments.pop("seed", 7))
    return list(islice(ClipSampler(order, **{"batch_size": 4} | arguments), num))


def test_an_epoch_is_a_permutation() -> None:
    order = ClipOrder(1000, seed=0)
    assert sorted(order.clips(0).tolist()) == list(range(1000))
    assert sorted(order.clips(1).tolist()) == list(range(1000))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    first = ClipOrder(1000, seed=0)
    assert first.clips(0).tolist() == ClipOrder(1000, seed=0).clips(0).tolist()
    assert first.clips(0).tolist() != first.clips(1).tolist()
    assert first.clips(0).tolist() != ClipOrder(1000, seed=1).clips(0).tolist()


def test_order_is_pinned() -> None:
    """A change here changes every run that is resumed across it."""
    assert ClipOrder(8, seed=3).clips(2).tolist() == [6, 0, 7, 3, 5, 2, 4, 1]


@pytest.mark.parametrize("num_processes", [1, 2, 4])
def test_any_number_of_processes_sees_the_same_batches(num_processes: int) -> None:
    whole = batches(12)
    shares = [batches(12, rank=rank, num_processes=num_processes) for rank in range(num_processes)]
    joined = [[draw for share in shares for draw in share[b]] for b in range(12)]
    assert joined == whole


@given(first=st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_resumes_anywhere(first: int) -> None:
    assert batches(5, first_batch=first) == batches(first + 5)[first:]


def test_drops_what_does_not_fill_a_batch() -> None:
    """23 clips, 4 a batch: 5 batches an epoch, 3 clips left over, and the next epoch follows at once."""
    drawn = batches(10)
    assert [batch[0].epoch for batch in drawn] == [0] * 5 + [1] * 5
    clips = [draw.clip for batch in drawn[:5] for draw in batch]
    assert len(set(clips)) == 20


def test_stops_where_told() -> None:
    sampler = ClipSampler(ClipOrder(10, seed=0), batch_size=3, first_batch=2, stop_batch=7)
    assert len(sampler) == len(list(sampler)) == 5
    assert sampler.batches_per_epoch == 3


def test_an_endless_sampler_has_no_length() -> None:
    with pytest.raises(TypeError, match="without stop_batch never ends"):
        len(ClipSampler(ClipOrder(10, seed=0), batch_size=3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 24}, "between 1 and 23 clips"),
        ({"batch_size": 0}, "between 1 and 23 clips"),
        ({"num_processes": 3}, "batch_size=4, rank=0, num_processes=3"),
        ({"rank": 2, "num_processes": 2}, "rank=2"),
        ({"first_batch": -1}, "got -1 and None"),
    ],
)
def test_refuses_impossible_batches(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batches(1, **arguments)


def test_weights_are_drawn_in_proportion() -> None:
    weights_N = np.array([0.0, 1.0, 3.0] + [0.0] * 9997)
    drawn = ClipOrder(10_000, seed=0, weights_N=weights_N).clips(0)
    counts = np.bincount(drawn, minlength=10_000)
    assert counts[0] == counts[3:].sum() == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.1)


def test_a_clip_drawn_again_is_told_apart() -> None:
    order = ClipOrder(5, seed=0, weights_N=np.array([1.0, 1.0, 0.0, 0.0, 0.0]))
    clips = order.clips(0)
    seen: dict[int, int] = {}
    for clip, occurrence in zip(clips.tolist(), order.occurrences(clips).tolist(), strict=True):
        assert occurrence == seen.get(clip, 0)
        seen[clip] = occurrence + 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0], "one weight for each of 2"), ([1.0, -1.0], ">= 0"), ([0.0, 0.0], "not all 0")],
)
def test_refuses_odd_weights(weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipOrder(2, seed=0, weights_N=np.array(weights))
