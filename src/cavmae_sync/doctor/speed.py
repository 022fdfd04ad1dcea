"""Speed of a model on this machine in each precision, and the error that each precision makes.

P frames or segments, D width.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import torch
from torch import Tensor

from cavmae_sync.choices import Precision
from cavmae_sync.compute import (
    FLOAT32_ERROR_RATIO,
    AttentionKernel,
    Float32Products,
    choose_attention,
    choose_float32_products,
    float32_error,
    float32_products_in,
    product_rate,
    product_rates,
)
from cavmae_sync.embedding.embedder import Embedder
from cavmae_sync.embedding.rows import differs_from_previous
from cavmae_sync.errors import WeightsError
from cavmae_sync.exchange.proof import PROOF_FRAMES, read_proof_clip
from cavmae_sync.inputs import ModelInput, model_input
from cavmae_sync.model import CAVMAESync
from cavmae_sync.model.flops import embedding_flops

#: Rate of products relative to float32 below which a precision is not tried: it would take minutes.
_WORTH_TRYING: Final = 0.5

#: A clip is embedded again until this many seconds are spent, and at most this many times.
_ENOUGH_SECONDS: Final = 6.0
_MOST_REPEATS: Final = 5

#: Largest 1 - cosine to the vectors of float32 with which a precision is recommended.
_CLOSE_ENOUGH: Final = 1e-4

#: How much faster a precision must be to be recommended in place of float32.
_CLEAR_GAIN: Final = 1.15


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionSpeed:
    """Speed and error of one precision on this machine.

    Attributes:
        precision: Precision of matrix products.
        product_rate: Floating point operations per second of one linear layer.
        seconds: Median time of one clip, 16 frames and segments of 10 s; None where it was not tried.
        share: Operations that the clip needs over that time, over `product_rate`; None as above.
        one_minus_cosine: Largest over all vectors, against float32; None as above.
        largest_error: Largest difference of a number of a vector; None as above.
        note: Reason why it was not tried, or what went wrong; else empty.
    """

    precision: Precision
    product_rate: float
    seconds: float | None = None
    share: float | None = None
    one_minus_cosine: float | None = None
    largest_error: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedReport:
    """Speeds of all precisions, and the settings that are best on this machine.

    Attributes:
        device: Device that was measured.
        num_threads: Threads on the CPU.
        float32_products: How float32 products are computed.
        float32_rates: Operations per second of each kind of float32 products; one where there is no choice.
        float32_errors: Their relative errors against float64.
        attention: Kernel that float32 attention uses.
        operations: Operations for one clip; equal neighbours count once.
        num_frames: Encoded frames of the clip.
        num_segments: Encoded segments of the clip.
        precisions: Results, float32 first.
        recommended: Fastest precision that is close enough to float32.
    """

    device: str
    num_threads: int
    float32_products: Float32Products
    float32_rates: dict[str, float]
    float32_errors: dict[str, float]
    attention: AttentionKernel
    operations: int
    num_frames: int
    num_segments: int
    precisions: tuple[PrecisionSpeed, ...]
    recommended: Precision

    def faster_float32_products(self) -> Float32Products | None:
        """Another kind of float32 products that is clearly faster here and as exact, or None."""
        for kind in get_args(Float32Products):
            gain = self.float32_rates.get(kind, 0.0) / self.float32_rates[self.float32_products]
            ratio = self.float32_errors.get(kind, 0.0) / self.float32_errors[self.float32_products]
            if gain > _CLEAR_GAIN and ratio <= FLOAT32_ERROR_RATIO:
                return kind
        return None


def measure_speed(
    model: CAVMAESync,
    *,
    device: torch.device,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> SpeedReport:
    """Speed of embedding the package's clip in every precision of this device.

    Args:
        model: The model; its weights decide the errors, its shape the times.
        device: Device to measure.
        on_progress: Called with precisions done, all precisions, and the name of the next one.

    Returns:
        Medians; on a machine with other work they vary by about 10 %.
    """
    inputs = model_input(read_proof_clip(), model.config.inputs)
    kind = choose_float32_products(device)
    rates = product_rates(device, float32_products=kind)
    counts = [int(differs_from_previous(rows).sum()) for rows in (inputs.frames_TCHW, inputs.segments_TLM)]
    operations = embedding_flops(model.config, num_frames=counts[0], num_segments=counts[1])
    exact_PD = _vectors(Embedder(model, device=device, float32_products=kind), _some(inputs))
    found: list[PrecisionSpeed] = []
    for precision, rate in rates.items():
        on_progress(len(found), len(rates), precision)
        embedder = Embedder(model, device=device, precision=precision, float32_products=kind)
        found.append(
            PrecisionSpeed(
                precision=precision, product_rate=rate, note="not tried: its products are too slow"
            )
            if rate < _WORTH_TRYING * rates["float32"]
            else _measured(embedder, inputs, exact_PD, rate=rate, operations=operations)
        )
    on_progress(len(found), len(rates), "")
    kinds: Sequence[Float32Products] = get_args(Float32Products) if device.type == "cpu" else ("highest",)
    return SpeedReport(
        device=str(device),
        num_threads=torch.get_num_threads(),
        float32_products=kind,
        float32_rates={
            each: product_rate(device, precision="float32", float32_products=each) for each in kinds
        },
        float32_errors={each: float32_error(device, each) for each in kinds},
        attention=_attention(model, device, kind),
        operations=operations,
        num_frames=counts[0],
        num_segments=counts[1],
        precisions=tuple(found),
        recommended=recommended(found),
    )


def recommended(precisions: Sequence[PrecisionSpeed]) -> Precision:
    """Fastest precision among those that are clearly faster than float32 and close to it, or float32."""
    best: Precision = "float32"
    fastest = next(each.seconds for each in precisions if each.precision == "float32") or 0.0
    for each in precisions:
        is_close = each.one_minus_cosine is not None and each.one_minus_cosine <= _CLOSE_ENOUGH
        if is_close and each.seconds is not None and each.seconds * _CLEAR_GAIN < fastest:
            best, fastest = each.precision, each.seconds * _CLEAR_GAIN
    return best


def _measured(
    embedder: Embedder, inputs: ModelInput, exact_PD: Tensor, *, rate: float, operations: int
) -> PrecisionSpeed:
    vectors_PD = _vectors(embedder, _some(inputs))  # the first time is not counted
    if not bool(vectors_PD.isfinite().all()):
        return PrecisionSpeed(
            precision=embedder.precision, product_rate=rate, note="gives numbers that are not finite"
        )
    durations: list[float] = []
    while len(durations) < _MOST_REPEATS and sum(durations) < _ENOUGH_SECONDS:
        start = time.perf_counter()
        _vectors(embedder, inputs)
        durations.append(time.perf_counter() - start)
    seconds = statistics.median(durations)
    return PrecisionSpeed(
        precision=embedder.precision,
        product_rate=rate,
        seconds=seconds,
        share=operations / seconds / rate,
        one_minus_cosine=float(one_minus_cosine(vectors_PD, exact_PD).max()),
        largest_error=float((vectors_PD - exact_PD).abs().max()),
    )


def one_minus_cosine(vectors_PD: Tensor, exact_PD: Tensor) -> Tensor:
    """1 - cosine of unit vectors, float64 [P].

    It is computed from their distance: a float32 cosine near 1 has no digits left after the subtraction.

    Raises:
        WeightsError: A vector is not finite.
    """
    if not bool(vectors_PD.isfinite().all() and exact_PD.isfinite().all()):
        raise WeightsError(
            "The model gives vectors that are not finite, so no errors can be measured. "
            "Check it with cavmae-sync doctor."
        )
    return (vectors_PD.double() - exact_PD.double()).square().sum(dim=-1) / 2


def _vectors(embedder: Embedder, inputs: ModelInput) -> Tensor:
    frames_PD = embedder.embed_frames(inputs.frames_TCHW).visual_PD
    return torch.cat([embedder.embed_segments(inputs.segments_TLM), frames_PD])


def _some(inputs: ModelInput) -> ModelInput:
    chosen = list(PROOF_FRAMES)
    return ModelInput(frames_TCHW=inputs.frames_TCHW[chosen], segments_TLM=inputs.segments_TLM[chosen])


def _attention(model: CAVMAESync, device: torch.device, kind: Float32Products) -> AttentionKernel:
    rows, columns = model.config.visual_grid
    num_keys = rows * columns + model.config.registers + int(model.config.global_token)
    with float32_products_in(kind):
        return choose_attention(device.type, torch.float32, num_keys=num_keys, with_gradients=False)
