"""Export of both encoders as ONNX files: recorded, compared with the model, and kept only if they agree.

OUT/audio.onnx     segments [B, L, 128] -> vectors [B, D]
OUT/visual.onnx    frames [B, 3, H, W] -> vectors [B, D], patches [B, N, D]
OUT/config.json    constants of the inputs, order of the axes, fingerprint, licence, measured differences

B batch (any number), C colours, H W pixels, L spectrogram frames, M mel bins, N patches in reading order,
D width.
"""

import json
import logging
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from cavmae_sync import paper
from cavmae_sync.atomic import write_text
from cavmae_sync.choices import Representation
from cavmae_sync.embedding.inference import inference
from cavmae_sync.embedding.rows import unit_rows
from cavmae_sync.errors import ConfigError
from cavmae_sync.exchange.onnx_parity import Difference, check_differences, differences
from cavmae_sync.inputs import ModelInput
from cavmae_sync.model import CAVMAESync, Encoded
from cavmae_sync.weights import Provenance, weights_fingerprint

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

FORMAT: Final = "cavmae-sync-onnx/1"
CONFIG_FILE: Final = "config.json"

_NEEDED: Final = ("onnx", "onnxscript", "onnxruntime")
_EXAMPLE_ROWS: Final = 2
#: Logger that warns at every export that torchvision is missing, which nothing here uses.
_NOISY_LOGGER: Final = "torch.onnx._internal.exporter._registration"


class AudioVectors(nn.Module):
    """Module from segments to unit vectors, as `Embedder.embed_segments` gives them."""

    def __init__(self, model: CAVMAESync, *, representation: Representation) -> None:
        super().__init__()
        self.model, self.representation = model, representation

    def forward(self, segments_BLM: Tensor) -> tuple[Tensor]:
        """Unit vectors [B, D] of segments [B, L, 128]."""
        encoded = self.model.encode_audio(segments_BLM)
        return (unit_rows(encoded.representation(self.representation)),)


class VisualVectors(nn.Module):
    """Module from frames to unit vectors of frames and patches, as `Embedder.embed_frames` gives them."""

    def __init__(self, model: CAVMAESync, *, representation: Representation) -> None:
        super().__init__()
        self.model, self.representation = model, representation

    def forward(self, frames_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors [B, D] and patch vectors [B, N, D] of frames [B, 3, H, W]."""
        encoded: Encoded = self.model.encode_visual(frames_BCHW)
        return unit_rows(encoded.representation(self.representation)), unit_rows(encoded.patch_tokens_PND)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedFile:
    """An exported file.

    Attributes:
        name: File name in the folder.
        num_bytes: Size of the file.
        export_seconds: Time that recording it took.
    """

    name: str
    num_bytes: int
    export_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxExport:
    """Result of an export: its files, and their differences from the model.

    Attributes:
        files: The two files.
        differences: One for each file, output, kind of input and batch size.
        weights: Fingerprint of the weights.
    """

    files: tuple[ExportedFile, ...]
    differences: tuple[Difference, ...]
    weights: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoder:
    """One encoder, as it is recorded into a file."""

    name: str
    module: nn.Module
    input_name: str
    row_shape: tuple[int, ...]
    axes: tuple[str, ...]
    outputs: Mapping[str, tuple[str | int, ...]]


def export_onnx(
    model: CAVMAESync,
    folder: str | Path,
    *,
    representation: Representation = "global",
    provenance: Provenance | None = None,
    real: ModelInput | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> OnnxExport:
    """Write both encoders as ONNX files, if ONNX Runtime gives the same vectors as the model.

    Args:
        model: The model; it is moved to the CPU.
        folder: Folder of the files; made if need be, and an earlier export in it is replaced.
        representation: Representation of a frame or segment; a model without global tokens gives patch means.
        provenance: Origin of the weights, for the licence note.
        real: Frames and segments of a real clip, to compare beside random ones.
        on_progress: Called with steps done, all steps, and the name of the next one.

    Raises:
        ConfigError: The libraries are not installed, or the folder holds other files.
        WeightsError: Outputs differ by more than the tolerance; no file is written.
    """
    check_onnx_installed()
    folder = Path(folder)
    _check_free(folder)
    model = model.cpu()
    kind: Representation = representation if model.config.global_token else "patch_mean"
    about = _about(model, representation=kind, provenance=provenance or Provenance())
    encoders = _encoders(model, representation=kind)
    report = on_progress or (lambda *_: None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        files: list[ExportedFile] = []
        found: list[Difference] = []
        for step, encoder in enumerate(encoders):
            report(2 * step, 2 * len(encoders), f"recording {encoder.name}")
            path = Path(temporary) / encoder.name
            files.append(_record(encoder, path, about=about))
            report(2 * step + 1, 2 * len(encoders), f"comparing {encoder.name}")
            rows = None if real is None else _rows_of(real, encoder.input_name)
            with inference(encoder.module):
                compared = differences(
                    path,
                    encoder.module,
                    row_shape=encoder.row_shape,
                    outputs=tuple(encoder.outputs),
                    real=rows,
                )
                found += check_differences(list(compared))
        parity = {"parity": [asdict(each) for each in found]}
        text = json.dumps(about | _interface(encoders) | parity, indent=2, allow_nan=False) + "\n"
        write_text(Path(temporary) / CONFIG_FILE, text)
        folder.mkdir(exist_ok=True)
        for path in sorted(Path(temporary).iterdir()):
            path.replace(folder / path.name)
    report(2 * len(encoders), 2 * len(encoders), "")
    return OnnxExport(files=tuple(files), differences=tuple(found), weights=about["weights"])


def check_onnx_installed() -> None:
    """Raise unless the libraries are installed.

    Raises:
        ConfigError: Names the missing libraries and how to install them.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(
            f"Writing ONNX files needs {', '.join(missing)}. Install it with pip install 'cavmae-sync[onnx]'."
        )


def _encoders(model: CAVMAESync, *, representation: Representation) -> tuple[_Encoder, ...]:
    config = model.config
    side, length, width = config.inputs.frame_pixels, config.inputs.segment_length, config.width
    rows, columns = config.visual_grid
    return (
        _Encoder(
            name="audio.onnx",
            module=AudioVectors(model, representation=representation),
            input_name="segments",
            row_shape=(length, paper.NUM_MELS),
            axes=("batch", f"time, {paper.HOP_MILLISECONDS} ms steps", "mel bin, lowest first"),
            outputs={"vectors": ("batch", width)},
        ),
        _Encoder(
            name="visual.onnx",
            module=VisualVectors(model, representation=representation),
            input_name="frames",
            row_shape=(3, side, side),
            axes=("batch", "red, green, blue", "row, from the top", "column, from the left"),
            outputs={"vectors": ("batch", width), "patches": ("batch", rows * columns, width)},
        ),
    )


def _record(encoder: _Encoder, path: Path, *, about: Mapping[str, Any]) -> ExportedFile:
    start = perf_counter()
    example = torch.zeros(_EXAMPLE_ROWS, *encoder.row_shape)
    with inference(encoder.module), torch.inference_mode(mode=False), _quiet():
        program = torch.onnx.export(
            encoder.module,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[encoder.input_name],
            output_names=list(encoder.outputs),
            verbose=False,
        )
        assert program is not None  # for type checkers: None is given by the older exporter only
        _describe(program, about)
        program.save(path)
    return ExportedFile(
        name=encoder.name, num_bytes=path.stat().st_size, export_seconds=round(perf_counter() - start, 2)
    )


def _describe(program: "ONNXProgram", about: Mapping[str, Any]) -> None:
    """Add facts about the model to the file, and remove the paths of this machine's sources from it."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
    program.model.metadata_props.update(texts)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()


def _about(model: CAVMAESync, *, representation: Representation, provenance: Provenance) -> dict[str, Any]:
    inputs = model.config.inputs
    return {
        "format": FORMAT,
        "weights": weights_fingerprint(model),
        "representation": representation,
        "licence": provenance.licence or "not stated",
        "model": model.config.model_dump(mode="json"),
        "sound": {
            "sample_rate_hz": paper.SAMPLE_RATE_HZ,
            "window_milliseconds": paper.WINDOW_MILLISECONDS,
            "hop_milliseconds": paper.HOP_MILLISECONDS,
            "num_mels": paper.NUM_MELS,
            "mean": inputs.spectrogram_mean,
            "std": inputs.spectrogram_std,
        },
        "pictures": {"pixels": inputs.frame_pixels, "mean": paper.RGB_MEAN, "std": paper.RGB_STD},
    }


def _interface(encoders: tuple[_Encoder, ...]) -> dict[str, Any]:
    return {
        "files": {
            encoder.name: {
                "input": {
                    "name": encoder.input_name,
                    "shape": ["batch", *encoder.row_shape],
                    "axes": encoder.axes,
                    "type": "float32",
                },
                "outputs": {
                    name: {"shape": shape, "type": "float32"} for name, shape in encoder.outputs.items()
                },
            }
            for encoder in encoders
        }
    }


def _rows_of(real: ModelInput, input_name: str) -> Tensor:
    return real.segments_TLM if input_name == "segments" else real.frames_TCHW


def _check_free(folder: Path) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder} is a file. Give a folder for the ONNX files.")
    if (folder / CONFIG_FILE).exists() and not (folder / "audio.onnx").exists():
        raise ConfigError(f"{folder} holds a {CONFIG_FILE} that is not an export. Give an empty folder.")


@contextmanager
def _quiet() -> Generator[None]:
    """Silence the exporter's messages about itself."""
    logger = logging.getLogger(_NOISY_LOGGER)
    was_disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            # torch copies its own deprecated tree type (seen with torch 2.9 to 2.13).
            warnings.filterwarnings(
                "ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning
            )
            yield
    finally:
        logger.disabled = was_disabled
