import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cavmae_sync.data import ClipDataset
from cavmae_sync.embedding import Embedder, similarity_matrix
from cavmae_sync.embedding.rows import differs_from_previous, unit_rows
from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs.model_input import model_input
from cavmae_sync.media import Clip
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.weights import from_official, load_exactly, weights_fingerprint

GOLDEN = Path(__file__).parents[1] / "golden"


def noise_clip(*, num_frames=16, seconds=10.0, seed=0):
    generator = np.random.default_rng(seed)
    return Clip(
        frames_THWC=generator.integers(0, 256, (num_frames, 40, 48, 3), dtype=np.uint8),
        frame_seconds_T=np.linspace(0, seconds * 0.99, num_frames),
        waveform_S=generator.uniform(-0.5, 0.5, int(seconds * 16000)).astype(np.float32),
        start_seconds=30.0,
        duration_seconds=seconds,
    )


def rows_encoded(module):
    """Counts the rows that go through an encoder."""
    counts = []
    module.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    return counts


def test_an_embedded_clip_has_a_unit_vector_per_modality_and_frame(model):
    clip = noise_clip()
    found = Embedder(model, device="cpu").embed(clip)
    assert found.audio_TD.shape == found.visual_TD.shape == (16, 16)
    assert found.visual_patches_TND is None
    assert found.start_seconds == 30
    np.testing.assert_array_equal(found.frame_seconds_T, clip.frame_seconds_T)


def test_embeddings_are_the_official_features():
    """Global tokens of the official class with random weights, computed in float64."""
    golden = torch.load(GOLDEN / "sync_4s_8reg.pt", weights_only=True)
    config = ModelConfig(width=48, heads=4, decoder=DecoderConfig(width=32, depth=2, heads=4))
    config, state = from_official(golden["state_dict"], config=config)
    model = CAVMAESync(config)
    load_exactly(model, state, source="golden")
    embedder = Embedder(model, device="cpu")
    audio_PD = embedder.embed_segments(golden["audio"].float())
    visual_PD = embedder.embed_frames(golden["frames"].float()).visual_PD
    for found, official in ((audio_PD, golden["feat_global_a"]), (visual_PD, golden["feat_global_v"])):
        torch.testing.assert_close(found, F.normalize(official.float(), dim=-1), atol=1e-5, rtol=0)


def test_equal_windows_are_encoded_once_and_give_what_encoding_all_gives(model):
    """Spec 1.10: 11 of 16 windows of 416 spectrogram frames are distinct."""
    inputs = model_input(noise_clip(), model.config.inputs)
    with torch.inference_mode():
        naive_TD = F.normalize(model.encode_audio(inputs.segments_TLM).global_token_PD, dim=-1)
        visual_TD = F.normalize(model.encode_visual(inputs.frames_TCHW).global_token_PD, dim=-1)
    counts = rows_encoded(model.audio)
    found = Embedder(model, device="cpu").embed(noise_clip())
    assert sum(counts) == 11
    torch.testing.assert_close(found.audio_TD, naive_TD, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.visual_TD, visual_TD, atol=1e-6, rtol=0)


def test_a_model_of_whole_clips_encodes_the_sound_once(plain_model):
    counts = rows_encoded(plain_model.audio)
    found = Embedder(plain_model, device="cpu").embed(noise_clip())
    assert sum(counts) == 1
    assert torch.equal(found.audio_TD, found.audio_TD[:1].expand(16, -1))


def test_without_global_tokens_patch_means_are_compared(plain_model):
    inputs = model_input(noise_clip(num_frames=2), plain_model.config.inputs)
    with torch.inference_mode():
        expected = F.normalize(plain_model.encode_visual(inputs.frames_TCHW).patch_tokens_PND.mean(1), dim=-1)
    for representation in ("global", "patch_mean"):
        found = Embedder(plain_model, device="cpu", representation=representation).embed(
            noise_clip(num_frames=2)
        )
        torch.testing.assert_close(found.visual_TD, expected, atol=1e-6, rtol=0)


def test_patch_means_can_be_compared_where_there_are_global_tokens(model):
    inputs = model_input(noise_clip(num_frames=2), model.config.inputs)
    with torch.inference_mode():
        expected = F.normalize(model.encode_audio(inputs.segments_TLM).patch_tokens_PND.mean(1), dim=-1)
    found = Embedder(model, device="cpu", representation="patch_mean").embed(noise_clip(num_frames=2))
    torch.testing.assert_close(found.audio_TD, expected, atol=1e-6, rtol=0)


def test_patches_are_unit_vectors_in_reading_order(model):
    inputs = model_input(noise_clip(num_frames=3), model.config.inputs)
    with torch.inference_mode():
        expected = F.normalize(model.encode_visual(inputs.frames_TCHW).patch_tokens_PND, dim=-1)
    embedder = Embedder(model, device="cpu")
    found = embedder.embed(noise_clip(num_frames=3), with_patches=True)
    torch.testing.assert_close(found.visual_patches_TND, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.visual_TD, embedder.embed(noise_clip(num_frames=3)).visual_TD)


def test_dataset_embeddings_are_those_of_its_clips(model, clips):
    embedder = Embedder(model, device="cpu", batch_size=20)
    seen = []
    found = embedder.embed_dataset(clips, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert found.clip_ids == ("clip0", "clip1", "clip2")
    assert found.num_broken_rows == 0
    whole = ClipDataset(clips, inputs=model.config.inputs)
    for i in range(3):
        audio_TD = embedder.embed_segments(whole[i].segments_PLM)
        visual_TD = embedder.embed_frames(whole[i].normalized_frames()).visual_PD
        torch.testing.assert_close(found.audio_NTD[i], audio_TD, atol=1e-6, rtol=0)
        torch.testing.assert_close(found.visual_NTD[i], visual_TD, atol=1e-6, rtol=0)


def test_dataset_embeddings_know_what_they_were_made_with(model, plain_model, clips):
    found = Embedder(model, device="cpu").embed_dataset(clips.head(1))
    assert found.clip_list == clips.head(1).list_sha256 != clips.list_sha256
    assert found.weights == weights_fingerprint(model)
    assert (found.made_with["representation"], found.made_with["precision"]) == ("global", "float32")
    assert found.made_with["model"]["width"] == 16
    plain = Embedder(plain_model, device="cpu").embed_dataset(clips.head(1))
    assert plain.made_with["representation"] == "patch_mean"
    assert plain.weights != found.weights


def test_embeddings_are_deterministic_and_do_not_depend_on_the_batch_size(model, clips):
    found = [Embedder(model, device="cpu", batch_size=size).embed_dataset(clips) for size in (64, 64, 1, 17)]
    assert torch.equal(found[0].audio_NTD, found[1].audio_NTD)
    assert torch.equal(found[0].visual_NTD, found[1].visual_NTD)
    for other in found[2:]:
        torch.testing.assert_close(other.audio_NTD, found[0].audio_NTD, atol=1e-5, rtol=0)
        torch.testing.assert_close(other.visual_NTD, found[0].visual_NTD, atol=1e-5, rtol=0)


def test_a_model_of_whole_clips_scores_its_sound_against_the_mean_frame(plain_model, clips):
    """Diagonal mean of a model with one window is the mean over frames of cos(sound, frame)."""
    found = Embedder(plain_model, device="cpu").embed_dataset(clips)
    scores = similarity_matrix(found.audio_NTD, found.visual_NTD)
    cosines_QGT = torch.einsum("qd,gtd->qgt", found.audio_NTD[:, 0], found.visual_NTD)
    torch.testing.assert_close(scores, cosines_QGT.mean(dim=2))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_is_close_and_still_gives_float32_unit_rows(model, precision):
    exact = Embedder(model, device="cpu").embed(noise_clip(num_frames=2))
    found = Embedder(model, device="cpu", precision=precision).embed(noise_clip(num_frames=2))
    assert found.audio_TD.dtype == torch.float32
    assert (found.audio_TD * exact.audio_TD).sum(-1).min() > 0.99
    assert not torch.equal(found.audio_TD, exact.audio_TD)


def test_float32_stays_float32_under_the_callers_autocast(model):
    expected = Embedder(model, device="cpu").embed(noise_clip(num_frames=2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Embedder(model, device="cpu").embed(noise_clip(num_frames=2))
    assert torch.equal(found.audio_TD, expected.audio_TD)


def test_the_models_mode_is_put_back_and_results_take_part_in_gradients(model):
    model.train()
    model.joint.eval()
    found = Embedder(model, device="cpu").embed(noise_clip(num_frames=2))
    assert model.training
    assert not model.joint.training
    assert not found.audio_TD.is_inference()
    weight = torch.ones(16, requires_grad=True)
    (found.audio_TD * weight).sum().backward()
    assert weight.grad is not None


def test_vectors_that_are_not_finite_are_refused_for_a_clip_and_counted_for_a_dataset(model, clips):
    with torch.no_grad():
        model.joint.norm_a.weight.fill_(torch.nan)
    embedder = Embedder(model, device="cpu")
    with pytest.raises(WeightsError, match="not finite in precision float32"):
        embedder.embed(noise_clip(num_frames=2))
    assert embedder.embed_dataset(clips).num_broken_rows == 3 * 16


def test_a_vector_without_direction_is_not_a_number():
    assert unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).isnan().any(dim=1).tolist() == [False, True]


def test_rows_are_new_unless_they_repeat_the_one_before():
    rows = torch.tensor([[[0.0]], [[0.0]], [[1.0]], [[0.0]], [[float("nan")]], [[float("nan")]]])
    assert differs_from_previous(rows).tolist() == [True, False, True, True, True, True]


def test_bad_requests_are_refused(model, clips):
    with pytest.raises(ValueError, match="float32, bfloat16, float16, int8, got 'half'"):
        Embedder(model, precision="half")
    with pytest.raises(ValueError, match="positive, got 0"):
        Embedder(model, batch_size=0)
    embedder = Embedder(model, device="cpu")
    with pytest.raises(ValueError, match="nothing to embed"):
        embedder.embed_segments(torch.zeros(0, 416, 128))
    with pytest.raises(ValueError, match="no clips"):
        embedder.embed_dataset(clips.subset([]))


def test_another_embedder_keeps_every_setting_that_is_not_given(model, plain_model):
    chosen = {
        "device": torch.device("cpu"),
        "precision": "bfloat16",
        "batch_size": 3,
        "representation": "patch_mean",
        "float32_products": "medium",
    }
    # A new argument of Embedder must be a setting too, or `replace` would lose it.
    arguments = inspect.signature(Embedder).parameters.values()
    assert {argument.name for argument in arguments if argument.kind is argument.KEYWORD_ONLY} == set(chosen)
    assert all(chosen[argument.name] != argument.default for argument in arguments if argument.name in chosen)

    embedder = Embedder(model, **chosen)
    assert embedder.settings == chosen
    other = embedder.replace(plain_model)
    assert (other.model, other.settings) == (plain_model, chosen)
    exact = embedder.replace(precision="float32")
    assert (exact.model, exact.settings) == (model, chosen | {"precision": "float32"})


def test_a_fingerprint_depends_on_every_weight_and_on_names():
    layer = torch.nn.Linear(2, 2)
    first = weights_fingerprint(layer)
    assert weights_fingerprint(layer) == first
    assert weights_fingerprint(torch.nn.Sequential(layer)) != first
    with torch.no_grad():
        layer.bias[1] += 1e-6
    assert weights_fingerprint(layer) != first
