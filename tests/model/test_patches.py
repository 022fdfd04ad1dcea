"""Patches: the order of values in them, and the way back."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from cavmae_sync.model import patchify, segment_image, unpatchify
from cavmae_sync.model.patches import PatchEmbedding

SMALL = st.integers(1, 3)


@given(num=SMALL, channels=SMALL, rows=SMALL, columns=SMALL)
def test_unpatchify_undoes_patchify(num: int, channels: int, rows: int, columns: int):
    pictures = torch.rand(num, channels, 16 * rows, 16 * columns)
    patches = patchify(pictures)
    assert patches.shape == (num, rows * columns, 256 * channels)
    assert torch.equal(unpatchify(patches, grid=(rows, columns)), pictures)


def test_a_patch_lists_rows_then_columns_then_channels():
    """Spec 2.7: value (p * 16 + q) * 3 + c of patch r * 2 + k is channel c of pixel (16 r + p, 16 k + q)."""
    picture = torch.arange(3 * 32 * 32.0).reshape(1, 3, 32, 32)
    patches = patchify(picture)
    for row, column, p, q, channel in [(0, 0, 0, 1, 2), (0, 1, 3, 0, 1), (1, 0, 15, 15, 0)]:
        expected = picture[0, channel, 16 * row + p, 16 * column + q]
        assert patches[0, row * 2 + column, (p * 16 + q) * 3 + channel] == expected


def test_a_segment_becomes_a_picture_with_time_across():
    segments = torch.rand(2, 48, 128)
    picture = segment_image(segments)
    assert picture.shape == (2, 1, 128, 48)
    assert picture[1, 0, 100, 7] == segments[1, 7, 100]


def test_audio_token_f_times_columns_plus_t_covers_band_f_and_time_t():
    embedding = PatchEmbedding(channels=1, width=4)
    silent = torch.zeros(1, 64, 128)
    click = silent.clone()
    click[0, 16 * 2 : 16 * 3, 16 * 5 : 16 * 6] = 1  # third of four time columns, sixth of eight bands
    with torch.no_grad():
        change = embedding(segment_image(click)) - embedding(segment_image(silent))
    assert change.abs().sum(dim=2)[0].nonzero().flatten().tolist() == [5 * 4 + 2]


def test_patch_embedding_is_a_linear_map_of_patchify():
    embedding = PatchEmbedding(channels=3, width=8)
    pictures = torch.rand(2, 3, 32, 48)
    weight = embedding.proj.weight.permute(0, 2, 3, 1).reshape(8, -1)
    with torch.no_grad():
        torch.testing.assert_close(embedding(pictures), patchify(pictures) @ weight.T + embedding.proj.bias)


def test_some_patches_get_the_tokens_of_all():
    embedding = PatchEmbedding(channels=3, width=8).double()
    pictures = torch.rand(2, 3, 32, 48, dtype=torch.float64)
    for layout in (torch.contiguous_format, torch.channels_last):
        patches = patchify(pictures.to(memory_format=layout))
        torch.testing.assert_close(embedding.of_patches(patches[:, 1:4]), embedding(pictures)[:, 1:4])
