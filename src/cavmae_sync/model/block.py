"""The transformer block: shared attention and perceptron, one pair of layer norms per use.

B any batch, N tokens, M of them that are asked for, D width, H heads.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from cavmae_sync.compute import attend, float32_setting
from cavmae_sync.model.masking import take_tokens
from cavmae_sync.paper import LAYER_NORM_EPSILON

Modality = Literal["audio", "visual"]

#: Which pair of norms a pass uses: "shared" for encoders, joint pass and decoder.
NormUse = Literal["shared", "audio", "visual"]

_SUFFIX: dict[NormUse, str] = {"shared": "", "audio": "_a", "visual": "_v"}

#: Compiled graphs of blocks, over all shapes of tokens.
_MOST_GRAPHS = 64


def layer_norm(width: int) -> nn.LayerNorm:
    """A layer norm with the method's epsilon (spec 2.1)."""
    return nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)


class Attention(nn.Module):
    """Multi-head self-attention with a fused qkv projection."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens_BND: Tensor, queries_BMD: Tensor | None = None) -> Tensor:
        """`[B, N, D]` to `[B, N, D]`; or what `queries_BMD` see in them, `[B, M, D]`."""
        width = tokens_BND.shape[-1]
        if queries_BMD is None:
            query, key, value = self._by_head(self.qkv(tokens_BND), 3)
        else:
            # One weight for all three, as in the field's files: its first third makes the queries.
            weight, bias = self.qkv.weight, self.qkv.bias
            (query,) = self._by_head(F.linear(queries_BMD, weight[:width], bias[:width]), 1)
            key, value = self._by_head(F.linear(tokens_BND, weight[width:], bias[width:]), 2)
        mixed = attend(query, key, value).transpose(1, 2)
        return self.proj(mixed.flatten(2))

    def _by_head(self, rows_BND: Tensor, num: int) -> tuple[Tensor, ...]:
        batch, num_tokens, width = rows_BND.shape
        parts = rows_BND.view(batch, num_tokens, num, self.heads, width // num // self.heads)
        return parts.permute(2, 0, 3, 1, 4).unbind(0)


class Mlp(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, width: int, *, hidden_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden_width)
        self.fc2 = nn.Linear(hidden_width, width)

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """`[B, N, D]` to `[B, N, D]`."""
        return self.fc2(F.gelu(self.fc1(tokens_BND)))


class Block(nn.Module):
    """Pre-norm transformer block (spec 2.1).

    Attention and perceptron are shared by all uses; `uses` says which pairs of norms exist. The official
    code builds three pairs in every block and uses three only in the joint layer.

    `recomputes` forgets what is inside a block after the forward pass and computes it again for the backward
    pass: less memory, a third more arithmetic.
    """

    def __init__(
        self, width: int, *, heads: int, mlp_ratio: int, uses: tuple[NormUse, ...] = ("shared",)
    ) -> None:
        super().__init__()
        self.recomputes = False
        #: What a pass with gradients does; `compile_blocks` puts a compiled function here.
        self.trained = _transform
        self.attn = Attention(width, heads=heads)
        self.mlp = Mlp(width, hidden_width=width * mlp_ratio)
        for use in uses:
            self.add_module(f"norm1{_SUFFIX[use]}", layer_norm(width))
            self.add_module(f"norm2{_SUFFIX[use]}", layer_norm(width))

    def forward(
        self, tokens_BND: Tensor, use: NormUse = "shared", *, query_index_BM: Tensor | None = None
    ) -> Tensor:
        """`[B, N, D]` to `[B, N, D]` with the norms of `use`.

        Args:
            tokens_BND: All tokens; all are looked at.
            use: Which pair of norms.
            query_index_BM: int64 `[B, M]`, the tokens whose result is read; gives `[B, M, D]`.
                For the last block of a chain.
        """
        if not torch.is_grad_enabled():
            return _transform(self, tokens_BND, use, query_index_BM)
        if self.recomputes:
            # Nothing in a block is random, so no random state need be kept for the second time.
            result = checkpoint(
                self.trained,
                self,
                tokens_BND,
                use,
                query_index_BM,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            assert isinstance(result, Tensor)
            return result
        return self.trained(self, tokens_BND, use, query_index_BM)


def _transform(block: Block, tokens_BND: Tensor, use: NormUse, query_index_BM: Tensor | None) -> Tensor:
    """A function, not a method: compiled once it serves all blocks, and a copied one uses its own weights."""
    norm1, norm2 = (block.get_submodule(f"norm{k}{_SUFFIX[use]}") for k in (1, 2))
    normed_BND = norm1(tokens_BND)
    if query_index_BM is None:
        tokens_BND = tokens_BND + block.attn(normed_BND)
    else:
        queries_BMD = take_tokens(normed_BND, query_index_BM)
        tokens_BND = take_tokens(tokens_BND, query_index_BM) + block.attn(normed_BND, queries_BMD)
    return tokens_BND + block.mlp(norm2(tokens_BND))


def compile_blocks(module: nn.Module) -> None:
    """Compile what the blocks of a module do in training, each shape of tokens when it first comes.

    Passes without gradients stay as they are: they come with many lengths. Weights keep their names.
    """
    # Asked once, when a graph is made: it would cut each graph in pieces, and never changes in a run.
    torch.compiler.assume_constant_result(float32_setting)
    # One graph for each length and width of tokens and use of norms: about ten in one model.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _MOST_GRAPHS)
    compiled = torch.compile(_transform, dynamic=False)
    for part in module.modules():
        if isinstance(part, Block):
            part.trained = compiled


def run_blocks(
    blocks: Iterable[nn.Module],
    row_BND: Tensor,
    *,
    use: NormUse = "shared",
    query_index_BM: Tensor | None = None,
) -> Tensor:
    """Chain of one or more blocks; the last computes only the tokens of `query_index_BM`, if given."""
    *first, last = blocks
    for block in first:
        row_BND = block(row_BND, use)
    return last(row_BND, use, query_index_BM=query_index_BM)


@torch.no_grad()
def initialize_linear(module: nn.Module, *, generator: torch.Generator | None) -> None:
    """Xavier-uniform weights and zero biases for every linear layer below `module` (spec 2.4)."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.xavier_uniform_(child.weight, generator=generator)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
