"""States of frames by the published rule, against that rule written down literally."""

import numpy as np
import pytest
import torch
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics.pairwise import cosine_distances
from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.tasks.temporal.clustering import cluster_states, state_vectors


def vectors_in_groups(*groups: int, noise: float = 0.02, seed: int = 0) -> Tensor:
    """Unit vectors, frame t near the axis `groups[t]`."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.eye(8)[list(groups)]
    return F.normalize(axes + noise * torch.randn(axes.shape, generator=generator), dim=1)


def literally(vectors_TD: Tensor, *, max_states: int = 5) -> tuple[np.ndarray | None, int]:
    """Spec 4.6 word for word: cluster again with every threshold. None stands for the way to k-means."""
    distances = cosine_distances(vectors_TD.double().numpy())
    threshold = np.percentile(distances[np.triu_indices(len(distances), k=1)], 75)
    for tried in range(1, 101):
        model = AgglomerativeClustering(
            n_clusters=None, distance_threshold=threshold, metric="precomputed", linkage="complete"
        ).fit(distances)
        if 2 <= model.n_clusters_ <= max_states:
            return model.labels_, tried
        threshold *= 1.2 if model.n_clusters_ > max_states else 0.8
        if threshold > 1.0 or threshold < 0.1:
            return None, tried
    return None, 100


def same_groups(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(((first[:, None] == first) == (second[:, None] == second)).all())


def test_states_that_come_back_keep_their_label():
    found = cluster_states(vectors_in_groups(0, 0, 1, 1, 1, 0, 1, 1))
    assert found.labels_T.tolist() == [0, 0, 1, 1, 1, 0, 1, 1]
    assert (found.path, found.num_labels) == ("agglomerative", 2)


def test_it_is_the_published_rule():
    for seed in range(60):
        check_published_rule(torch.Generator().manual_seed(seed))


def check_published_rule(generator: torch.Generator):
    num_frames = int(torch.randint(2, 24, (), generator=generator))
    spread = float(torch.rand((), generator=generator)) ** 2
    vectors_TD = F.normalize(
        torch.ones(16) + 3 * spread * torch.randn(num_frames, 16, generator=generator), dim=1
    )
    found = cluster_states(vectors_TD)
    labels_T, num_iterations = literally(vectors_TD)
    assert (found.path == "k_means") == (labels_T is None)
    assert found.num_iterations == num_iterations
    if labels_T is not None:
        assert same_groups(found.labels_T, labels_T)


def test_k_means_takes_over_where_no_threshold_fits():
    """Sixteen vectors at right angles: each merge lies at distance 1, so there are 16 states or one."""
    found = cluster_states(torch.eye(16))
    assert found.path == "k_means"
    assert found.num_labels == 5
    assert found.labels_T.tolist() == cluster_states(torch.eye(16)).labels_T.tolist()


@pytest.mark.parametrize(("num_frames", "max_states", "num_labels"), [(6, 2, 2), (7, 5, 3), (40, 5, 5)])
def test_k_of_k_means(num_frames: int, max_states: int, num_labels: int):
    found = cluster_states(torch.eye(num_frames), max_states=max_states)
    assert (found.path, found.num_labels) == ("k_means", num_labels)


def test_a_single_frame_and_equal_frames_are_one_state():
    for num_frames in (1, 2, 16):
        found = cluster_states(vectors_in_groups(0, noise=0).expand(num_frames, -1))
        assert found.labels_T.tolist() == [0] * num_frames
        assert (found.path, found.num_iterations, found.threshold) == ("single", 0, None)


def test_two_frames_that_differ_are_two_states():
    assert cluster_states(vectors_in_groups(0, 1)).labels_T.tolist() == [0, 1]


def test_two_distinct_vectors_among_many():
    vectors_TD = torch.eye(4)[[0, 0, 0, 1, 0, 0]]
    assert cluster_states(vectors_TD).labels_T.tolist() == [0, 0, 0, 1, 0, 0]


def test_the_order_of_frames_changes_nothing_but_the_numbers():
    vectors_TD = vectors_in_groups(0, 0, 1, 2, 2, 1, 0)
    order = torch.tensor([3, 1, 6, 0, 5, 2, 4])
    shuffled = cluster_states(vectors_TD[order]).labels_T
    assert same_groups(cluster_states(vectors_TD).labels_T[order.numpy()], shuffled)


def test_nan_and_too_few_states_are_refused():
    with pytest.raises(ValueError, match="unit length"):
        cluster_states(torch.full((3, 4), torch.nan))
    with pytest.raises(ValueError, match="max_states=1"):
        cluster_states(vectors_in_groups(0, 1), max_states=1)


def test_both_modalities_count_the_same():
    audio_TD, visual_TD = vectors_in_groups(0, 1), vectors_in_groups(2, 2)
    both_TD = state_vectors(audio_TD, visual_TD, modality="both")
    torch.testing.assert_close(both_TD @ both_TD.T, (audio_TD @ audio_TD.T + visual_TD @ visual_TD.T) / 2)
    assert state_vectors(audio_TD, visual_TD, modality="audio") is audio_TD
    assert state_vectors(audio_TD, visual_TD, modality="visual") is visual_TD
