"""The transformer block: attention and perceptron shared by all uses, one pair of layer norms per use.

B any batch, N tokens, M of them that are queries, D width, H heads.
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

#: Pair of norms that a pass uses. "shared" serves encoders, fused pass and decoder; the other two serve the
#: passes of the joint layer over one modality alone.
NormUse = Literal["shared", "audio", "visual"]

_SUFFIX: dict[NormUse, str] = {"shared": "", "audio": "_a", "visual": "_v"}

#: Most compiled graphs of one function. torch's own limit of 8 is below what one model needs.
_MAX_GRAPHS = 64


def layer_norm(width: int) -> nn.LayerNorm:
    """Layer norm with the epsilon of the released code."""
    return nn.LayerNorm(width, eps=LAYER_NORM_EPSILON)


class Attention(nn.Module):
    """Multi-head self-attention with a fused qkv projection."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens_BND: Tensor, queries_BMD: Tensor | None = None) -> Tensor:
        """Attention of all tokens, `[B, N, D]`, or of given queries only, `[B, M, D]`.

        Args:
            tokens_BND: Tokens that keys and values come from.
            queries_BMD: Tokens that ask; None lets all of `tokens_BND` ask.
        """
        width = tokens_BND.shape[-1]
        if queries_BMD is None:
            query, key, value = self._by_head(self.qkv(tokens_BND), 3)
        else:
            # Weights files hold one matrix for query, key and value; its first third makes the queries.
            weight, bias = self.qkv.weight, self.qkv.bias
            (query,) = self._by_head(F.linear(queries_BMD, weight[:width], bias[:width]), 1)
            key, value = self._by_head(F.linear(tokens_BND, weight[width:], bias[width:]), 2)
        mixed = attend(query, key, value).transpose(1, 2)
        return self.proj(mixed.flatten(2))

    def parts_of_first(self, tokens_BND: Tensor) -> Tensor:
        """What each token adds to the result of the first one, `[B, N, D]`: with the bias, they sum to it."""
        query, key, value = self._by_head(self.qkv(tokens_BND), 3)
        logits_BH1N = query[:, :, :1] @ key.transpose(-1, -2) * key.shape[-1] ** -0.5
        mixed_BHND = logits_BH1N.softmax(dim=-1).transpose(-1, -2) * value
        return F.linear(mixed_BHND.transpose(1, 2).flatten(2), self.proj.weight)

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
    """Pre-norm transformer block.

    Args:
        width: Width D of a token.
        heads: Attention heads.
        mlp_ratio: Hidden width of the perceptron over `width`.
        uses: Pairs of norms that exist. The official code builds three pairs in every block and uses three in
            the joint layer only. Parameters that no pass uses cost DistributedDataParallel a search in each
            step.

    Attributes:
        recomputes: Whether activations are dropped after the forward pass and computed again for the backward
            pass: less memory, a third more arithmetic.
    """

    def __init__(
        self, width: int, *, heads: int, mlp_ratio: int, uses: tuple[NormUse, ...] = ("shared",)
    ) -> None:
        super().__init__()
        self.recomputes = False
        #: Function of a pass with gradients; `compile_blocks` puts a compiled one here.
        self.training_forward = _forward
        self.attn = Attention(width, heads=heads)
        self.mlp = Mlp(width, hidden_width=width * mlp_ratio)
        for use in uses:
            self.add_module(f"norm1{_SUFFIX[use]}", layer_norm(width))
            self.add_module(f"norm2{_SUFFIX[use]}", layer_norm(width))

    def forward(
        self, tokens_BND: Tensor, use: NormUse = "shared", *, query_index_BM: Tensor | None = None
    ) -> Tensor:
        """Tokens after the block, `[B, N, D]`, or those of given places only, `[B, M, D]`.

        Args:
            tokens_BND: All tokens; each attends to all.
            use: Pair of norms.
            query_index_BM: int64 `[B, M]`, places of the tokens whose result is read. For the last block of a
                chain, where nobody reads the others.
        """
        if not torch.is_grad_enabled():
            return _forward(self, tokens_BND, use, query_index_BM)
        if self.recomputes:
            # Nothing in a block is random, so the random state need not be kept for the second pass.
            result = checkpoint(
                self.training_forward,
                self,
                tokens_BND,
                use,
                query_index_BM,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            assert isinstance(result, Tensor)
            return result
        return self.training_forward(self, tokens_BND, use, query_index_BM)


def _forward(block: Block, tokens_BND: Tensor, use: NormUse, query_index_BM: Tensor | None) -> Tensor:
    """The pass through a block, as a function of the block.

    Not a method: compiled once, it serves all blocks, and a copy of a model computes with its own weights.
    """
    norm1, norm2 = (block.get_submodule(f"norm{k}{_SUFFIX[use]}") for k in (1, 2))
    normed_BND = norm1(tokens_BND)
    if query_index_BM is None:
        tokens_BND = tokens_BND + block.attn(normed_BND)
    else:
        queries_BMD = take_tokens(normed_BND, query_index_BM)
        tokens_BND = take_tokens(tokens_BND, query_index_BM) + block.attn(normed_BND, queries_BMD)
    return tokens_BND + block.mlp(norm2(tokens_BND))


def compile_blocks(module: nn.Module) -> None:
    """Compile the training passes of all blocks of a module, each shape of tokens when it first comes.

    Passes without gradients are not compiled: they come with many lengths, and each would be compiled anew.
    Weights keep their names, which `torch.compile` of a module would change.
    """
    # A call into torch's settings would cut each graph in two. The setting never changes in a run.
    torch.compiler.assume_constant_result(float32_setting)
    # One graph for each length and width of tokens and use of norms: about ten in one model.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _MAX_GRAPHS)
    compiled = torch.compile(_forward, dynamic=False)
    for part in module.modules():
        if isinstance(part, Block):
            part.training_forward = compiled


def run_blocks(
    blocks: Iterable[nn.Module],
    sequence_BND: Tensor,
    *,
    use: NormUse = "shared",
    query_index_BM: Tensor | None = None,
) -> Tensor:
    """Chain of one or more blocks; the last computes only the tokens of `query_index_BM`, if given."""
    *first, last = blocks
    for block in first:
        sequence_BND = block(sequence_BND, use)
    return last(sequence_BND, use, query_index_BM=query_index_BM)


@torch.no_grad()
def initialize_linear(module: nn.Module, *, generator: torch.Generator | None) -> None:
    """Set Xavier-uniform weights and zero biases in every linear layer below `module`.

    Source:
        Code: Sync, `CAVMAESync.initialize_weights`.
    """
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.xavier_uniform_(child.weight, generator=generator)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
