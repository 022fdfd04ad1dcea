"""ONNX files against torch: size, time to write, processor time per row on one thread.

    python benchmarks/studies/onnx_speed.py RUN_OR_WEIGHTS      or
    python benchmarks/studies/onnx_speed.py --published

`--published` takes random weights of the published size; speed does not depend on the weights.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch

from cavmae_sync.embedding import Embedder
from cavmae_sync.exchange.onnx_export import export_onnx
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.training import load_run_or_weights

BATCH_SIZE = 4
REPEATS = 3


def seconds_per_row(compute: Callable[[], object]) -> float:
    """Median of several runs, after one that does not count: processor time, which others do not lengthen."""
    compute()
    took = []
    for _ in range(REPEATS):
        start = time.process_time()
        compute()
        took.append(time.process_time() - start)
    return statistics.median(took) / BATCH_SIZE


def main() -> None:
    torch.set_num_threads(1)
    published = sys.argv[1] == "--published"
    generator = torch.Generator().manual_seed(0)
    model = (
        CAVMAESync(ModelConfig(), generator=generator)
        if published
        else load_run_or_weights(Path(sys.argv[1]))
    )
    inputs = model.config.inputs
    embedder = Embedder(model, device="cpu", batch_size=BATCH_SIZE)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, one thread, batch {BATCH_SIZE}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = export_onnx(model, Path(folder) / "onnx")
        print(f"written and compared in {time.perf_counter() - start:.0f} s")
        print(f"largest difference {max(each.max_difference for each in result.differences):.1e}, ", end="")
        print(f"largest 1 - cosine {max(each.max_one_minus_cosine for each in result.differences):.1e}")
        segments = torch.randn(BATCH_SIZE, inputs.segment_length, 128, generator=generator)
        frames = torch.randn(BATCH_SIZE, 3, inputs.frame_pixels, inputs.frame_pixels, generator=generator)
        for file, rows, ours in (
            (result.files[0], segments, lambda: embedder.embed_segments(segments)),
            (result.files[1], frames, lambda: embedder.embed_frames(frames, with_patches=True)),
        ):
            session = onnxruntime.InferenceSession(Path(folder) / "onnx" / file.name, options)
            feed = {session.get_inputs()[0].name: rows.numpy()}
            torch_seconds = seconds_per_row(ours)
            onnx_seconds = seconds_per_row(lambda session=session, feed=feed: session.run(None, feed))
            print(
                f"{file.name}: {file.num_bytes / 1e6:.1f} MB, recorded in {file.export_seconds:.0f} s; row: "
                f"torch {torch_seconds * 1e3:.2f} ms, ONNX Runtime {onnx_seconds * 1e3:.2f} ms "
                f"({torch_seconds / onnx_seconds:.2f} times as fast)"
            )


if __name__ == "__main__":
    main()
