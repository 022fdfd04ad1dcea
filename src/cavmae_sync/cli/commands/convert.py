"""`cavmae-sync convert`: weights of any layout into ours, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table

from cavmae_sync.choices import ClassLoss
from cavmae_sync.cli.options import Count, Json, Overwrite
from cavmae_sync.cli.outputs import check_new, check_output
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.exchange.conversion import Conversion


def convert(
    source: Path,
    /,
    *words: str,
    out: Path,
    layout: Literal["ours", "official"] = "ours",
    classes: Path | None = None,
    loss: ClassLoss | None = None,
    modality: Literal["audio", "visual"] | None = None,
    classifier_heads: Count | None = None,
    licence: str | None = None,
    num_frames: Count | None = None,
    seed: int = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Turn weights of any layout into ours, or back, and say what they are.

    Reads CAV-MAE Sync, plain CAV-MAE and their fine-tuned classifiers as the authors save them, ImageNet MAE
    in its own, timm's and Hugging Face's names, ours, and the folder of a run. The layout, the shape of the
    model and the length of segments are read off names and shapes. Nothing in a file is executed.

    Example: cavmae-sync convert audio_model.25.pth --out sync.safetensors

    Args:
        source: Weights file, folder of a run, or organisation/name on a hub.
        words: `key=value` words for what no tensor shows, such as `heads=4 decoder.heads=4` or
            `registers_in_joint=true`.
        out: .safetensors file; a folder for a fine-tuned classifier; for --layout official a .pth file.
        layout: Layout to write. official has the names and types that the weights came with, bit for bit;
            weights that were trained here get those of the authors.
        classes: Names of a classifier's classes (class_labels_indices.csv: index,mid,display_name).
        loss: Loss that a classifier was trained with: bce (several labels a clip) or ce (one label). Known
            for the 527 classes of AudioSet and the 309 of VGGSound.
        modality: Input of a classifier of one modality.
        classifier_heads: Attention heads of a classifier's blocks; known (12) for the published widths.
        licence: Note on the licence, instead of the one that is known for the layout.
        num_frames: Frames of each clip in training, instead of the layout's 16 or 10.
        seed: Seed of the parts that an ImageNet MAE does not have.
    """
    from cavmae_sync.exchange.convert import WEIGHTS_FILE, HeadOptions, convert_back
    from cavmae_sync.exchange.convert import convert as convert_to_ours
    from cavmae_sync.tasks.classification.probe import PROBE_FILE

    check_new(out, option="--out", overwrite=overwrite, files=(WEIGHTS_FILE, PROBE_FILE))
    if layout == "official":
        check_output(out, option="--out", suffix=(".pth", ".safetensors"))
        if any(
            option is not None for option in (classes, loss, modality, classifier_heads, licence, num_frames)
        ):
            raise ConfigError(
                "--layout official writes no header: leave out --classes, --loss, --modality, "
                "--classifier-heads, --licence and --num-frames."
            )
        done = convert_back(source, out, overrides=words, seed=seed)
    else:
        with show_progress("converting") as advance:
            done = convert_to_ours(
                source,
                out,
                overrides=words,
                head=HeadOptions(classes=classes, loss=loss, modality=modality, heads=classifier_heads),
                licence=licence,
                num_frames=num_frames,
                seed=seed,
                on_progress=advance,
            )
    if as_json:
        print_json(done.to_dict())
    else:
        Terminal().print(_table(done))


def _table(done: "Conversion") -> Table:
    table = Table(show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    for what, value in done.rows():
        table.add_row(what, value)
    return table
