"""`cavmae-sync export`: both encoders as ONNX files, checked in ONNX Runtime."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from cavmae_sync.choices import Representation
from cavmae_sync.cli.options import Json, ModelWord, Overwrite, RunOrWeights
from cavmae_sync.cli.outputs import check_folder, check_new
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import model_words

if TYPE_CHECKING:
    from cavmae_sync.exchange.onnx_export import OnnxExport


def export(
    run_or_weights: RunOrWeights,
    /,
    *words: ModelWord,
    out: Path,
    representation: Representation = "global",
    video: Path | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write both encoders as ONNX files, and check them against the model in ONNX Runtime.

    The files are kept only if every vector agrees: to 1e-4 in each coordinate, and to 1e-6 in 1 - cosine.

    Example: cavmae-sync export my-run --out my-onnx --video dog.mp4

    Args:
        out: Folder for audio.onnx, visual.onnx and config.json.
        representation: What stands for a frame or segment: its global token, or the mean of its patches.
        video: Also compare on the first clip of this file, beside random inputs.
    """
    from cavmae_sync.embedding.video import video_inputs
    from cavmae_sync.exchange.onnx_export import check_onnx_installed, export_onnx
    from cavmae_sync.training import weights_of
    from cavmae_sync.weights import load_model, read_provenance

    check_onnx_installed()
    check_folder(out, option="--out")
    check_new(out, option="--out", overwrite=overwrite, files=("audio.onnx", "visual.onnx"))
    weights = weights_of(run_or_weights)
    model = load_model(weights, overrides=model_words(words))
    real = None if video is None else next(video_inputs(model.config.inputs, video))[1]
    with show_progress("exporting") as advance:
        result = export_onnx(
            model,
            out,
            representation=representation,
            provenance=read_provenance(weights),
            real=real,
            on_progress=advance,
        )
    if as_json:
        print_json(asdict(result))
        return
    Terminal().print(_table(result))
    sizes = ", ".join(f"{file.name} {file.num_bytes / 1e6:.1f} MB" for file in result.files)
    Terminal(stderr=True, highlight=False).print(f"{out}: {sizes}, config.json", soft_wrap=True)


def _table(result: "OnnxExport") -> Table:
    from cavmae_sync.exchange.onnx_parity import MAX_DIFFERENCE, MAX_ONE_MINUS_COSINE

    table = Table(
        title="ONNX Runtime against the model",
        caption=f"at most {MAX_DIFFERENCE:.0e} and {MAX_ONE_MINUS_COSINE:.0e}; weights {result.weights[:12]}",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("file", "output", "input"):
        table.add_column(heading)
    for heading in ("batch", "largest difference", "largest 1 - cosine"):
        table.add_column(heading, justify="right")
    for each in result.differences:
        table.add_row(
            each.file,
            each.output,
            each.inputs,
            str(each.batch_size),
            f"{each.max_difference:.1e}",
            f"{each.max_one_minus_cosine:.1e}",
        )
    return table
