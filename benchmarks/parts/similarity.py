"""Scores of all pairs of clips, and the ranks that follow from them in both directions."""

from functools import partial

import torch
import torch.nn.functional as F

from benchmarks.part import Answer, Limit, Part, Setting, Variant, Work
from benchmarks.textbook import similarity as textbook_similarity
from cavmae_sync.choices import AggregationName
from cavmae_sync.embedding import similarity_matrix
from cavmae_sync.tasks.retrieval.matches import find_matches

FRAMES, WIDTH = 16, 768
#: Clips that the loops compare; their time is extrapolated by the number of pairs.
_LOOP_CLIPS = 24
_MANY_CLIPS = 20_000
_CLIPS_AT_ONCE = 500


def _embeddings(count: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit rows of two senses that agree a little, so that ranks are neither all first nor chance."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.empty(count, FRAMES, WIDTH, dtype=dtype) for _ in range(2))
    for start in range(0, count, _CLIPS_AT_ONCE):  # so that memory is that of the vectors, not of making them
        part = slice(start, min(start + _CLIPS_AT_ONCE, count))
        shape = (part.stop - part.start, FRAMES, WIDTH)
        one, other = (torch.randn(shape, generator=generator) for _ in range(2))
        first[part] = F.normalize(one, dim=-1)
        second[part] = F.normalize(other.add_(one, alpha=0.02), dim=-1)
    return first, second


def textbook(setting: Setting, *, aggregation: AggregationName) -> Work:
    """Loops over queries, gallery and frames, then a sort of each row and of each column."""
    count = setting.pick(_LOOP_CLIPS, 6) // (3 if aggregation.startswith("block") else 1)
    queries, gallery = (rows[:count] for rows in _embeddings(_LOOP_CLIPS))

    def repeat() -> None:
        scores = textbook_similarity.scores(queries, gallery, aggregation=aggregation)
        textbook_similarity.ranks(scores)
        textbook_similarity.ranks(scores.T)

    def answer() -> Answer:
        few = (queries[:6], gallery[:6])
        return {"scores": textbook_similarity.scores(*few, aggregation=aggregation).numpy()}

    return Work(repeat=repeat, answer=answer, units=count * count)


def package(setting: Setting, *, aggregation: AggregationName, count: int) -> Work:
    """Ranks of both directions, block by block: the matrix is never there."""
    # Many vectors are in half precision, as they would lie in a file.
    dtype = torch.float16 if count >= _MANY_CLIPS else torch.float32
    queries, gallery = _embeddings(setting.pick(count, count // 20), dtype)

    def repeat() -> None:
        find_matches(queries, gallery, aggregation=aggregation).ranks("mean")

    def answer() -> Answer:
        few = [rows[:6] for rows in _embeddings(_LOOP_CLIPS)]
        return {"scores": similarity_matrix(*few, aggregation=aggregation).numpy()}

    return Work(
        repeat=repeat,
        answer=answer,
        units=len(queries) ** 2,
        operations=_operations(len(queries), aggregation),
        warm_up=lambda: find_matches(queries[:64], gallery[:64], aggregation=aggregation),
    )


def _operations(count: int, aggregation: AggregationName) -> float:
    products = {"diagonal_mean": FRAMES, "diagonal_max": FRAMES, "block_mean": 1, "block_max": FRAMES**2}
    return 2.0 * count * count * WIDTH * products[aggregation]


def _variant(count: int, aggregation: AggregationName) -> Variant:
    return Variant(
        name=f"{count:,} clips",
        make=partial(package, aggregation=aggregation, count=count),
        rounds=1 if count >= _MANY_CLIPS else None,
    )


def _part(aggregation: AggregationName, counts: tuple[int, ...], **how: object) -> Part:
    loops = Variant(name="textbook, loops", make=partial(textbook, aggregation=aggregation))
    return Part(
        name=f"similarity-{aggregation.replace('_', '-')}",
        title=f"similarity and ranks, both directions, 16 frames a clip, {aggregation}",
        unit="pair of clips",
        rounds=3,
        products=("float32",),
        variants=(loops, *(_variant(count, aggregation) for count in counts)),
        **how,
    )


PARTS = (
    _part(
        "diagonal_mean",
        (1545, _MANY_CLIPS),
        limits=(
            Limit(
                variant="20,000 clips", number="seconds", most=60, says="seconds for 20,000 clips, both ways"
            ),
        ),
        note="The loops compare 24 clips. Vectors of 20,000 clips are 0.98 GB in half precision; the matrix, "
        "1.6 GB, is never there.",
    ),
    _part("block_max", (1545,), note="The loops compare 8 clips."),
)
