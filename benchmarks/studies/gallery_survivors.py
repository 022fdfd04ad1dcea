"""How well recall in a full gallery is predicted from random survivors: bias, error and coverage.

python benchmarks/studies/gallery_survivors.py [--matrix SIMILARITY.npy] [--repeats 100]

Every matrix is a full gallery whose recall is known. Part of its clips are kept at random, the recall of the
full gallery is predicted from them, and the prediction is compared with it. "plug-in" draws the missing items
with replacement from the survivors.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor

from cavmae_sync.choices import IntervalOver
from cavmae_sync.metrics import (
    expected_recall,
    expected_recall_samples,
    interval,
    recall_at_k,
    true_match_ranks,
)
from cavmae_sync.paper import RECALL_AT

KEPT = (0.3, 0.5, 0.7, 0.9)


def matrices(size: int, generator: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Similarities of several shapes."""
    noise = generator.normal
    own = np.eye(size)
    yield "chance", noise(size=(size, size))
    yield "equal clips, weak", noise(size=(size, size)) + 1.5 * own
    yield "equal clips, strong", noise(size=(size, size)) + 3 * own
    yield "unequal clips", noise(size=(size, size)) + np.diag(noise(2, 1.5, size=size))
    class_of = np.arange(size) // 5
    same = class_of[:, None] == class_of
    yield "5 clips a class", noise(size=(size, size)) + 2.5 * same + np.diag(noise(1, 1, size=size))
    hubs = 1.5 * noise(size=size)
    yield "hubs", noise(size=(size, size)) + hubs + np.diag(noise(3, 1, size=size))
    audio = noise(size=(size, 16))
    visual = audio + 0.9 * noise(size=(size, 16))
    audio, visual = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (audio, visual))
    yield "vectors of 16", audio @ visual.T


def plug_in(ranks_Q: Tensor, *, num_gallery: int, size: int, k: int) -> float:
    return float(binom.cdf(k - 1, size - 1, ranks_Q.numpy() / (num_gallery - 1)).mean())


def measure(similarity: Tensor, *, kept: float, repeats: int, seed: int) -> str:
    size = len(similarity)
    truth_K = np.array([recall_at_k(true_match_ranks(similarity), k=k) for k in RECALL_AT])
    generator = np.random.default_rng(seed)
    plug: list[list[float]] = []
    found: list[list[float]] = []
    covered: dict[IntervalOver, list[list[bool]]] = {"missing": [], "clips": []}
    for repeat in range(repeats):
        part = torch.from_numpy(np.sort(generator.permutation(size)[: round(kept * size)]))
        ranks = true_match_ranks(similarity[part][:, part])
        num = len(part)
        plug.append([plug_in(ranks, num_gallery=num, size=size, k=k) for k in RECALL_AT])
        found.append(list(expected_recall(ranks, num_gallery=num, size=size).values()))
        for over, hits in covered.items():
            samples = expected_recall_samples(
                ranks[None],
                num_gallery=num,
                size=size,
                num_resamples=200,
                generator=torch.Generator().manual_seed(repeat),
                over=over,
            )
            ends = [interval(samples_DX[0]) for samples_DX in samples.values()]
            hits.append([e.low <= t <= e.high for e, t in zip(ends, truth_K, strict=True)])
    bias = (np.mean(found, axis=0) - truth_K) * 100
    error = np.sqrt(np.mean((np.array(found) - truth_K) ** 2, axis=0)) * 100
    cells = [
        f"{kept:.0%}",
        numbers(truth_K * 100, "5.1f"),
        numbers((np.mean(plug, axis=0) - truth_K) * 100, "+5.1f"),
        numbers(bias, "+5.1f"),
        numbers(error, "4.1f"),
        numbers(np.mean(covered["missing"], axis=0) * 100, "3.0f"),
        numbers(np.mean(covered["clips"], axis=0) * 100, "3.0f"),
    ]
    return " | ".join(cells)


def numbers(values: np.ndarray, form: str) -> str:
    return " ".join(format(value, form) for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--matrix", help=".npy file of a float matrix: row = sound, column = picture")
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=100)
    args = parser.parse_args()
    named = list(matrices(args.size, np.random.default_rng(0)))
    if args.matrix:
        given = np.load(args.matrix)
        named += [("a model, sound to picture", given), ("a model, picture to sound", given.T)]
    print("matrix | kept | R@1 5 10 | plug-in bias | bias | error (rms) | coverage: missing | clips")
    for name, similarity in named:
        for seed, kept in enumerate(KEPT):
            row = measure(torch.from_numpy(similarity), kept=kept, repeats=args.repeats, seed=seed)
            print(f"{name} | {row}", flush=True)


if __name__ == "__main__":
    main()
