"""What compiling makes of a block; that it changes no result is in tests/training/test_auto_values.py."""

import pytest
import torch

from cavmae_sync.model.block import Block, compile_blocks


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_cuts_the_graph_of_a_block(dtype):
    """A question to torch about its settings, asked inside, cut it into five."""
    block = Block(16, heads=2, mlp_ratio=2)
    compile_blocks(block)
    plain = Block(16, heads=2, mlp_ratio=2)
    query_index_BM = torch.tensor([[0], [3]])
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        found = torch._dynamo.explain(
            lambda row: plain.training_forward(plain, row, "shared", query_index_BM)
        )(torch.randn(2, 5, 16, requires_grad=True))
    assert (found.graph_count, found.graph_break_count) == (1, 0)
