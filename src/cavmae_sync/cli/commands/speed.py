"""`cavmae-sync speed`: how fast this machine embeds, in which precision, and what that costs in exactness."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from cavmae_sync.cli.options import Device, Json, RunOrWeights
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.safe_text import table_caption

if TYPE_CHECKING:
    from cavmae_sync.doctor.speed import PrecisionSpeed, SpeedReport


def speed(
    run_or_weights: RunOrWeights | None = None, /, *, device: Device = None, as_json: Json = False
) -> None:
    """Measure how fast clips become vectors here, in each precision, and how far each is from float32.

    Embeds the clip that comes with the package: 10 s, 16 frames and their segments. Prints the way of
    computing float32, the attention and the setting of memory that are chosen on this machine, and why; says
    where another choice is faster here, and recommends a precision. Without a run or weights it measures the
    published model with random weights: right for times, not for errors. Takes about a minute for a model of
    ViT-B's size on two cores.

    Example: cavmae-sync speed my-run
    """
    import torch

    from cavmae_sync.compute import choose_device, keep_freed_memory
    from cavmae_sync.doctor.speed import measure_speed
    from cavmae_sync.model import CAVMAESync, ModelConfig
    from cavmae_sync.training import load_run_or_weights

    keeps_memory = keep_freed_memory()
    if run_or_weights is None:
        model = CAVMAESync(ModelConfig(decoder=None), generator=torch.Generator().manual_seed(0))
    else:
        model = load_run_or_weights(run_or_weights, ())
    with show_progress("measuring precisions") as advance:
        report = measure_speed(model, device=choose_device(device), on_progress=advance)
    if as_json:
        content = asdict(report) | {
            "keeps_freed_memory": keeps_memory,
            "has_weights": run_or_weights is not None,
        }
        print_json(content)
        return
    console = Terminal()
    console.print(_table(report), table_caption(_notes(report, keeps_memory=keeps_memory)), highlight=False)
    if run_or_weights is None:
        console.print("Weights are random: times are right, errors of trained weights are others.")


def _table(report: "SpeedReport") -> Table:
    table = Table(title=f"one clip on {report.device}, {report.num_threads} threads")
    table.add_column("precision")
    for heading in ("GFLOP/s", "s/clip", "x float32", "share", "1-cosine", "max error"):
        table.add_column(heading, justify="right")
    first = report.precisions[0].seconds
    for each in report.precisions:
        table.add_row(each.precision, f"{each.product_rate / 1e9:.0f}", *_cells(each, first))
    return table


def _cells(each: "PrecisionSpeed", float32_seconds: float | None) -> list[str]:
    if each.seconds is None or each.share is None or float32_seconds is None:
        return []
    return [
        f"{each.seconds:.3g}",
        f"{float32_seconds / each.seconds:.2f}",
        f"{100 * each.share:.0f} %",
        f"{each.one_minus_cosine:.1g}",
        f"{each.largest_error:.1g}",
    ]


def _other_products(report: "SpeedReport") -> str:
    """Another choice for the person, where the measurement disagrees with what goes by the processor."""
    better = report.faster_float32_products()
    if better is None:
        return ""
    gain = report.float32_rates[better] / report.float32_rates[report.float32_products]
    return (
        f" Measured here, {better} is {gain:.2f} times as fast and as exact: to have it, say "
        f"loop.float32_products={better} in training, Embedder(float32_products={better!r}) in Python."
    )


def _notes(report: "SpeedReport", *, keeps_memory: bool) -> list[str]:
    ways = ", ".join(
        f"{kind} {rate / 1e9:.0f} GFLOP/s, error {report.float32_errors[kind]:.0e}"
        for kind, rate in report.float32_rates.items()
    )
    memory = "kept for the next clip" if keeps_memory else "handed back (only glibc can be told to keep it)"
    return [
        *(f"{each.precision}: {each.note}" for each in report.precisions if each.note),
        "GFLOP/s: of one linear layer of ViT-B",
        f"share: of that, over the {report.operations / 1e9:.1f} GFLOP that are needed for "
        f"{report.num_frames} frames and {report.num_segments} different segments",
        f"float32 products: {report.float32_products}, by processor and build of torch ({ways})."
        f"{_other_products(report)}",
        f"attention in float32: {report.attention}, by the table in compute/attention.py",
        f"freed memory: {memory}",
        f"recommended: --precision {report.recommended}, the fastest with 1-cosine up to 1e-4; to "
        "replace float32 it must be 1.15 times as fast",
    ]
