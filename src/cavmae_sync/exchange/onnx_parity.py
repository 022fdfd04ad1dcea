"""Differences between ONNX Runtime and the model on the same inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cavmae_sync.errors import WeightsError

#: Batch sizes that are compared: a single row, the batch size of the recording, and another one.
BATCH_SIZES: Final = (1, 2, 5)

#: Largest accepted difference of a coordinate of a unit vector, and of 1 - cosine. Float32 kernels differ by
#: about 1e-6; a wrong input, norm or token makes more than 1e-2.
MAX_DIFFERENCE: Final = 1e-4
MAX_ONE_MINUS_COSINE: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Result of one comparison.

    Attributes:
        file: Name of the ONNX file.
        output: Name of the output.
        inputs: "random" or "real".
        batch_size: Rows in the batch.
        max_difference: Largest absolute difference of a coordinate.
        max_one_minus_cosine: Largest 1 - cosine between a vector of the model and that of ONNX Runtime.
    """

    file: str
    output: str
    inputs: str
    batch_size: int
    max_difference: float
    max_one_minus_cosine: float

    @property
    def is_within_tolerance(self) -> bool:
        """Whether both numbers are within their limits; NaN is not."""
        return self.max_difference <= MAX_DIFFERENCE and self.max_one_minus_cosine <= MAX_ONE_MINUS_COSINE


def differences(
    path: Path, module: nn.Module, *, row_shape: Sequence[int], outputs: Sequence[str], real: Tensor | None
) -> Iterator[Difference]:
    """Comparisons of an ONNX file with the module it was recorded from, at several batch sizes.

    Args:
        path: The file; it has one input.
        module: The module, which gives a tuple of unit vectors.
        row_shape: Shape of one row of the input.
        outputs: Names of the outputs.
        real: Rows of a real clip; None compares random rows only.
    """
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    generator = torch.Generator().manual_seed(0)
    for batch_size in BATCH_SIZES:
        kinds = {"random": torch.randn(batch_size, *row_shape, generator=generator)}
        if real is not None:
            kinds["real"] = real[torch.arange(batch_size) % len(real)]
        for inputs, rows in kinds.items():
            theirs = session.run(list(outputs), {name: rows.numpy()})
            for output, expected, found in zip(outputs, module(rows), theirs, strict=True):
                difference, angle = _compare(expected, torch.from_numpy(found))
                yield Difference(
                    file=path.name,
                    output=output,
                    inputs=inputs,
                    batch_size=batch_size,
                    max_difference=difference,
                    max_one_minus_cosine=angle,
                )


def check_differences(found: Sequence[Difference]) -> Sequence[Difference]:
    """The same comparisons, after a check that all are within the tolerance.

    Raises:
        WeightsError: Names the worst comparison, its numbers and the limits.
    """
    wrong = [each for each in found if not each.is_within_tolerance]
    if wrong:
        worst = max(wrong, key=lambda each: each.max_difference)
        raise WeightsError(
            f"{len(wrong)} of {len(found)} comparisons with ONNX Runtime differ too much; no file was kept. "
            f"Worst: {worst.file}, {worst.output}, {worst.inputs} input, batch of {worst.batch_size}: "
            f"{worst.max_difference:.1e} in a coordinate (at most {MAX_DIFFERENCE:.0e}), "
            f"{worst.max_one_minus_cosine:.1e} in 1 - cosine (at most {MAX_ONE_MINUS_COSINE:.0e}). "
            "Check the weights for values that are not finite, and try another version of onnxruntime."
        )
    return found


def _compare(expected: Tensor, found: Tensor) -> tuple[float, float]:
    """Largest difference and largest 1 - cosine, in double precision to add no rounding of its own."""
    if expected.shape != found.shape:
        return float("inf"), float("inf")
    ours, theirs = expected.double(), found.double()
    cosine = F.cosine_similarity(ours, theirs, dim=-1)
    return float((ours - theirs).abs().max()), float((1 - cosine).max().clamp_min(0))
