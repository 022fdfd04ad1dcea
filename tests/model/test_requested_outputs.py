"""What nobody reads is not computed, and what is read stays what it is: losses and every gradient."""

import pytest
import torch

from cavmae_sync.losses import ContrastConfig, pretrain_losses
from cavmae_sync.model import Mask, MaskPair, RequestedOutputs, take_tokens
from cavmae_sync.model.block import Block, run_blocks

from .test_cavmae_sync import inputs_of, make_model, masks_of


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def losses_and_gradients(outputs: RequestedOutputs | None, *, second_pass: bool = False, **changes):
    model = make_model(**changes)
    masks = masks_of(model)
    output = model(
        *inputs_of(model),
        audio_mask=masks.audio,
        visual_mask=masks.visual,
        contrastive_masks=MaskPair(audio=None, visual=None) if second_pass else None,
        outputs=outputs,
    )
    losses = pretrain_losses(output, *inputs_of(model), contrast=ContrastConfig(negatives="local"))
    losses.total.backward()
    return losses.as_row(), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("second_pass", [False, True])
@pytest.mark.parametrize(
    "changes", [{}, {"joint_depth": 2}, {"contrastive_head_depth": 2}, {"registers_in_joint": True}]
)
def test_losses_and_every_gradient_are_those_of_the_complete_pass(changes: dict, second_pass: bool):
    every, gradients = losses_and_gradients(None, second_pass=second_pass, **changes)
    found, fewer = losses_and_gradients(
        RequestedOutputs(predicted="hidden", patch_tokens=False), second_pass=second_pass, **changes
    )
    torch.testing.assert_close(found, every, rtol=1e-12, atol=1e-12)
    for name, gradient in gradients.items():
        torch.testing.assert_close(fewer[name], gradient, rtol=1e-9, atol=1e-13, msg=name)


@pytest.mark.parametrize("second_pass", [False, True])
def test_one_of_two_pairs_is_predicted_as_it_is_alone(second_pass: bool):
    model = make_model()
    masks, (segments, frames) = masks_of(model), inputs_of(model)
    second = MaskPair(audio=None, visual=None) if second_pass else None
    every_other = slice(None, None, 2)

    def output(rows: slice, **wanted: int):
        return model(
            segments[rows],
            frames[rows],
            audio_mask=masks.audio.part(rows),
            visual_mask=masks.visual.part(rows),
            contrastive_masks=second,
            outputs=RequestedOutputs(predicted="hidden", **wanted),
        )

    some, alone, every = output(slice(None), predict_every=2), output(every_other), output(slice(None))
    assert torch.equal(some.audio_mask.keep_PK, masks.audio.keep_PK[every_other])
    for name in ("audio_reconstruction_PNX", "visual_reconstruction_PNX"):
        torch.testing.assert_close(getattr(some, name), getattr(alone, name), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(some.audio.representation(), every.audio.representation())
    assert len(some.visual.representation()) == len(frames)


def test_a_block_gives_the_asked_tokens_alone():
    block = Block(16, heads=2, mlp_ratio=2).double()
    tokens, asked = draw(3, 7, 16), torch.tensor([[6, 0], [1, 2], [3, 3]])
    torch.testing.assert_close(block(tokens, query_index_BM=asked), take_tokens(block(tokens), asked))
    chain = [block, Block(16, heads=2, mlp_ratio=2).double()]
    torch.testing.assert_close(
        run_blocks(chain, tokens, query_index_BM=asked), take_tokens(run_blocks(chain, tokens), asked)
    )


def test_hidden_patches_are_numbered_in_the_order_of_the_picture():
    mask = Mask.from_noise(torch.tensor([[0.7, 0.1, 0.9, 0.4], [0.2, 0.3, 0.1, 0.6]]), ratio=0.5)
    assert mask.hidden_index().tolist() == [[0, 2], [1, 3]]


def test_without_predictions_the_decoder_does_not_run():
    model = make_model(decoder=None)
    masks = masks_of(model)
    output = model(
        *inputs_of(model),
        audio_mask=masks.audio,
        visual_mask=masks.visual,
        outputs=RequestedOutputs(predicted="none"),
    )
    assert output.audio_reconstruction_PNX.shape[1] == output.visual_reconstruction_PNX.shape[1] == 0


def test_patch_means_of_tokens_that_were_not_requested_are_refused():
    model = make_model()
    tokens = model.joint.align(model.audio(draw(2, 1, 128, 32)), "audio", with_patches=False)
    assert tokens.patch_tokens_PND.shape[1] == 0
    with pytest.raises(ValueError, match="only global tokens were requested"):
        tokens.representation("patch_mean")


@pytest.mark.parametrize("outputs", [None, RequestedOutputs(predicted="hidden", patch_tokens=False)])
def test_recomputing_blocks_changes_no_gradient_by_a_bit(outputs: RequestedOutputs | None):
    gradients = []
    for recompute in (False, True):
        model = make_model(joint_depth=2).float()
        model.recompute_blocks(recompute=recompute)
        masks = masks_of(model)
        inputs = [value.float() for value in inputs_of(model)]
        output = model(*inputs, audio_mask=masks.audio, visual_mask=masks.visual, outputs=outputs)
        pretrain_losses(output, *inputs).total.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])
