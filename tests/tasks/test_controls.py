import torch

from cavmae_sync.tasks import untrained


def test_an_untrained_model_has_the_shape_and_nothing_of_the_weights(embedder):
    fresh = untrained(embedder, seed=1)
    assert fresh.model.config == embedder.model.config
    assert not torch.equal(
        fresh.model.audio.blocks[0].attn.qkv.weight, embedder.model.audio.blocks[0].attn.qkv.weight
    )
    assert fresh.settings == embedder.settings


def test_equal_seeds_give_equal_models(embedder):
    one, other = (untrained(embedder, seed=3).model.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
