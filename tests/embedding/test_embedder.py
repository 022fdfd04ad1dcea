from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cavmae_sync.embedding import Embedder, choose_device, similarity_matrix
from cavmae_sync.embedding.rows import differs_from_previous, unit_rows
from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs.model_input import model_input
from cavmae_sync.media import Clip


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
    assert found.labels[0] == ("noise",)
    assert found.num_broken_rows == 0
    for i in range(3):
        torch.testing.assert_close(
            found.audio_NTD[i], embedder.embed_segments(clips[i].segments_PLM), atol=1e-6, rtol=0
        )
        torch.testing.assert_close(
            found.visual_NTD[i], embedder.embed_frames(clips[i].frames_PCHW).visual_PD, atol=1e-6, rtol=0
        )


def test_embeddings_are_deterministic_and_do_not_depend_on_the_batch_size(model, clips):
    found = [Embedder(model, device="cpu", batch_size=size).embed_dataset(clips) for size in (64, 64, 1, 17)]
    assert torch.equal(found[0].audio_NTD, found[1].audio_NTD)
    assert torch.equal(found[0].visual_NTD, found[1].visual_NTD)
    for other in found[2:]:
        torch.testing.assert_close(other.audio_NTD, found[0].audio_NTD, atol=1e-5, rtol=0)
        torch.testing.assert_close(other.visual_NTD, found[0].visual_NTD, atol=1e-5, rtol=0)


def test_worker_processes_change_nothing(model, clips):
    embedder = Embedder(model, device="cpu")
    alone, helped = embedder.embed_dataset(clips), embedder.embed_dataset(clips, num_workers=1)
    assert torch.equal(alone.audio_NTD, helped.audio_NTD)
    assert alone.clip_ids == helped.clip_ids


def test_a_model_of_whole_clips_scores_its_sound_against_the_mean_frame(plain_model, clips):
    """Diagonal mean of a model with one window is the mean over frames of cos(sound, frame)."""
    clips.config = plain_model.config.inputs
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
    with pytest.raises(ValueError, match="float32, bfloat16, float16, got 'half'"):
        Embedder(model, precision="half")
    with pytest.raises(ValueError, match="positive, got 0"):
        Embedder(model, batch_size=0)
    embedder = Embedder(model, device="cpu")
    with pytest.raises(ValueError, match="nothing to embed"):
        embedder.embed_segments(torch.zeros(0, 416, 128))
    clips.num_clips = 0
    with pytest.raises(ValueError, match="no clips"):
        embedder.embed_dataset(clips)


def test_clips_out_of_order_are_refused(model, clips):
    class Backwards(type(clips)):
        def __getitem__(self, index, /):
            batch = super().__getitem__(index)
            return replace(batch, frame_index_P=batch.frame_index_P.flip(0))

    with pytest.raises(ValueError, match=r"16 frames in order, but one of clip0 does not"):
        Embedder(model, device="cpu", batch_size=16).embed_dataset(Backwards(clips.config, num_clips=2))


def test_devices_are_chosen_by_name_or_by_what_there_is():
    assert choose_device("cpu") == torch.device("cpu")
    best = choose_device()
    assert best.type == (
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
