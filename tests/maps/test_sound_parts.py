"""Parts of a sound: columns of segments, and the curve of a clip that they make."""

import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import Span
from cavmae_sync.maps import MapConfig
from cavmae_sync.maps.sound_parts import column_vectors, sound_part_curves
from cavmae_sync.model import Modality

from ..small_models import small_model

COLUMNS = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))


class AddsUp(Embedder):
    """An encoder whose vector of a view is a constant and what each shown column says, an eighth by patch."""

    def embed_views(self, inputs: torch.Tensor, shown_VK: torch.Tensor, *, modality: Modality):
        assert modality == "audio"
        return 3.0 + COLUMNS[: len(inputs), shown_VK % 6].sum(dim=2) / 8


def test_of_an_encoder_that_adds_up_it_is_what_each_column_says():
    exact = AddsUp(small_model(segment_length=96), device="cpu")
    for ratio in (0.9, 0.5):  # one of six columns shown, and three
        config = MapConfig(num_masks=60, mask_ratio=ratio, ridge=1e-6)
        found_PCD = column_vectors(exact, torch.zeros(2, 96, 128), config)
        centred = [x - x.mean(dim=1, keepdim=True) for x in (found_PCD, COLUMNS)]
        torch.testing.assert_close(*centred, atol=1e-4, rtol=1e-4)


def test_a_curve_is_the_mean_over_segments_and_zero_where_there_is_none():
    visual_TD = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    columns_PCD = torch.tensor([[[1.0, 10.0], [2.0, 20.0]], [[4.0, 40.0], [8.0, 80.0]]])
    spans = [Span(start=-16, stop=16), Span(start=8, stop=40)]  # two columns of 16 each
    curves_TL = sound_part_curves(visual_TD, columns_PCD, spans, num_spectrogram_frames=50)
    expected_L = torch.cat(
        [torch.full((8,), 2.0), torch.full((8,), 3.0), torch.full((8,), 4.0), torch.full((16,), 8.0)]
    )
    torch.testing.assert_close(curves_TL[0], torch.cat([expected_L, torch.zeros(10)]))
    torch.testing.assert_close(curves_TL[1], 10 * curves_TL[0])
