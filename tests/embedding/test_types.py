import pytest
import torch
import torch.nn.functional as F

from cavmae_sync.embedding.types import ClipEmbedding


def unit_rows(*shape):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def embedding(**changes):
    fields = {
        "audio_TD": unit_rows(3, 8),
        "visual_TD": unit_rows(3, 8),
        "frame_seconds_T": torch.arange(3, dtype=torch.float64),
    }
    return ClipEmbedding(**{**fields, **changes})


def test_an_embedding_holds_unit_rows_and_times():
    found = embedding(visual_patches_TND=unit_rows(3, 4, 8), start_seconds=20.0)
    assert found.audio_TD.shape == (3, 8)
    assert found.start_seconds == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"audio_TD": unit_rows(3, 8) * 1.01},
            "audio_TD must have rows of unit length; worst is off by 0.01",
        ),
        ({"visual_TD": torch.full((3, 8), torch.nan)}, "visual_TD must have rows of unit length"),
        ({"visual_TD": torch.zeros(3, 8)}, "visual_TD must have rows of unit length"),
        ({"audio_TD": unit_rows(3, 8).double()}, "audio_TD must be float32"),
        ({"audio_TD": unit_rows(8)}, "2 non-empty axes"),
        ({"audio_TD": unit_rows(4, 8)}, r"\(4, 8\) and visual_TD \(3, 8\) must agree"),
        ({"frame_seconds_T": torch.arange(3)}, r"must be float64 .* 3 frames, got torch.int64"),
        ({"frame_seconds_T": torch.zeros(2, dtype=torch.float64)}, r"got torch.float64 \(2,\)"),
        ({"visual_patches_TND": unit_rows(2, 4, 8)}, "has 2 frames, visual_TD 3"),
        ({"visual_patches_TND": unit_rows(3, 8)}, "3 non-empty axes"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        embedding(**changes)
