"""Scores of all pairs of clips by loops over clips and frames, and ranks by sorting each row."""

import torch
import torch.nn.functional as F
from torch import Tensor


def scores(queries: Tensor, gallery: Tensor, *, aggregation: str) -> Tensor:
    """`[Q, G]` from `[Q, T, D]` and `[G, T, D]`, one cosine at a time."""
    result = torch.empty(len(queries), len(gallery))
    reduce = torch.mean if aggregation.endswith("mean") else torch.amax
    for q, query in enumerate(queries):
        for g, item in enumerate(gallery):
            others = range(len(item))
            cosines = [
                F.cosine_similarity(query[k], item[m], dim=0)
                for k in range(len(query))
                for m in (others if aggregation.startswith("block") else (k,))
            ]
            result[q, g] = reduce(torch.stack(cosines), dim=0)
    return result


def ranks(similarity: Tensor) -> Tensor:
    """Place of each query's own item, 0 = best."""
    places = []
    for query, row in enumerate(similarity):
        order = row.argsort(descending=True, stable=True)
        places.append((order == query).nonzero()[0, 0])
    return torch.stack(places)
