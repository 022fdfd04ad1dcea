"""The greedy rule: by hand, at full size, against a slow second implementation, and its properties."""

import random
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.data.lists.per_class import choose_per_class

CLIPS = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=4, unique=True), max_size=60)


def slowly(labels: Sequence[Sequence[str]], per_class: int) -> list[int]:
    """For every clip, count its labels anew in all clips taken before it."""
    taken: list[int] = []
    for number, names in enumerate(labels):
        is_wanted = False
        for name in names:
            before = sum(name in labels[other] for other in taken)
            if before < per_class:
                is_wanted = True
        if is_wanted:
            taken.append(number)
    return taken


def test_by_hand():
    labels = [["a"], ["a", "b"], ["a"], ["b"], [], ["b", "c"], ["c"], ["a", "b"]]
    assert choose_per_class(labels, per_class=1) == [0, 1, 5]
    assert choose_per_class(labels, per_class=2) == [0, 1, 3, 5, 6]


def test_one_label_each_gives_exactly_five_of_each():
    """VGGSound's list: 309 classes x 5 = 1,545, whatever the order."""
    labels = [[f"vgg_{number % 309}"] for number in range(15_446)]
    random.Random(0).shuffle(labels)
    taken = choose_per_class(labels, per_class=5)
    assert len(taken) == 1545
    assert taken == slowly(labels[: taken[-1] + 1], 5)


def test_several_labels_each_at_the_size_of_audioset():
    """527 classes of very different frequency, 2.7 labels a clip: far fewer clips than 527 x 5 = 2,635."""
    generator = random.Random(1)
    names = [f"/m/{number}" for number in range(527)]
    weights = [1 / (1 + number) for number in range(527)]
    labels = []
    for _ in range(17_249):
        count = generator.choice([1, 2, 3, 4])
        labels.append(list(dict.fromkeys(generator.choices(names, weights, k=count))))
    taken = choose_per_class(labels, per_class=5)
    counts = Counter(name for number in taken for name in labels[number])
    available = Counter(name for clip in labels for name in clip)
    assert all(counts[name] >= min(5, available[name]) for name in names)
    assert max(counts.values()) > 5
    assert 1200 < len(taken) < 2635


@given(CLIPS, st.integers(1, 6))
def test_the_slow_way_gives_the_same(labels: list[list[str]], per_class: int):
    assert choose_per_class(labels, per_class=per_class) == slowly(labels, per_class)


@given(CLIPS, st.integers(1, 6), st.randoms())
def test_the_order_of_a_clips_labels_does_not_matter(labels, per_class, generator):
    shuffled = [generator.sample(names, len(names)) for names in labels]
    assert choose_per_class(shuffled, per_class=per_class) == choose_per_class(labels, per_class=per_class)


@given(CLIPS, st.integers(1, 6))
def test_no_class_is_short_unless_it_has_too_few_clips(labels, per_class):
    taken = choose_per_class(labels, per_class=per_class)
    for name in "abcdefg":
        available = sum(name in names for names in labels)
        assert sum(name in labels[number] for number in taken) >= min(per_class, available)
