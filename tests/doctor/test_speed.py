"""Speed and errors of precisions on this machine: the shape of the answer, not the times."""

import math

import pytest
import torch

from cavmae_sync.doctor.speed import PrecisionSpeed, measure_speed, one_minus_cosine, recommended
from cavmae_sync.errors import WeightsError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.model import CAVMAESync, ModelConfig


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=32, segment_length=32), width=32, depth=1, heads=2, decoder=None
    )
    return CAVMAESync(config, generator=torch.Generator().manual_seed(0))


def test_every_precision_of_this_machine_is_measured_or_says_why_not(model):
    seen = []
    report = measure_speed(model, device=torch.device("cpu"), on_progress=lambda *step: seen.append(step))
    assert [each.precision for each in report.precisions][:3] == ["float32", "bfloat16", "float16"]
    for each in report.precisions:
        assert bool(each.note) != (each.seconds is not None and each.share > 0 and each.one_minus_cosine >= 0)
    float32 = report.precisions[0]
    assert float32.one_minus_cosine == float32.largest_error == 0  # the same way twice is the same bits
    assert report.recommended in [each.precision for each in report.precisions]
    assert (report.num_frames, report.float32_errors[report.float32_products] < 2e-6) == (16, True)
    assert seen[-1][0] == seen[-1][1] == len(report.precisions)


def at(precision, seconds, error):
    return PrecisionSpeed(
        precision=precision,
        product_rate=1.0,
        seconds=seconds,
        share=1.0,
        one_minus_cosine=error,
        largest_error=0.0,
    )


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "float32"),
        ([at("bfloat16", 0.5, 2e-5)], "bfloat16"),
        ([at("bfloat16", 0.9, 2e-5)], "float32"),
        ([at("bfloat16", 0.5, 2e-5), at("int8", 0.3, 5e-3)], "bfloat16"),
        ([at("bfloat16", 0.5, 2e-5), at("int8", 0.3, 5e-5)], "int8"),
        ([PrecisionSpeed(precision="bfloat16", product_rate=1.0, note="not tried")], "float32"),
    ],
)
def test_recommended_is_the_fastest_that_is_close_and_clearly_faster(others, expected):
    assert recommended([at("float32", 1.0, 0.0), *others]) == expected


def test_one_minus_cosine_of_a_small_angle_is_exact():
    """In float32 1 - cos(1e-6) would be 0."""
    turned = torch.tensor([[math.cos(1e-3), math.sin(1e-3)]])
    found = one_minus_cosine(turned, torch.tensor([[1.0, 0.0]]))
    assert float(found) == pytest.approx(1 - math.cos(1e-3), rel=1e-3)
    with pytest.raises(WeightsError, match="not finite"):
        one_minus_cosine(turned * math.nan, turned)
