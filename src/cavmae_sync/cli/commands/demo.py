"""`cavmae-sync demo`: the whole path in minutes."""

import os
import time
from pathlib import Path

from cavmae_sync.cli.interrupt import stop_on_signal
from cavmae_sync.cli.options import Json
from cavmae_sync.cli.progress import show_stages
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines


def demo(
    *words: str,
    out: Path = Path("cavmae-sync-demo"),
    videos: Path | None = None,
    as_json: Json = False,
) -> None:
    """Make clips, prepare them, pretrain a small model, measure it, and write OUT/report.html.

    Ctrl-C stops; the same command goes on. With --videos the same is done on your own files.

    Words, with their defaults:

    - `minutes=10`: time that it may take altogether.
    - `seed=0`: seed of the clips and of training.
    - `num_train_clips=800`, `num_test_clips=500`: generated clips, fewer where there is no time for them.
    - `variant=bind`: variant of the generated clips: bind, no_pulse or easy.
    - `frame_pixels=96`: width and height of a frame.

    Example: cavmae-sync demo minutes=10

    Args:
        out: Folder of the demo.
        words: `key=value` words, for example `minutes=5`.
        videos: Folder of your own videos, instead of generated clips.
    """
    began = time.monotonic()  # what follows loads for seconds
    # Read when torch is loaded. Threads that spin while they wait make each other wait where other programs
    # run too: a step then took 2.9 s instead of 0.8 s on two busy cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cavmae_sync.recipes.demo.config import DemoConfig
    from cavmae_sync.recipes.demo.run import run_demo
    from cavmae_sync.recipes.reporter import Reporter
    from cavmae_sync.tasks.retrieval.verdict import verdicts

    config = DemoConfig(videos=None if videos is None else str(videos.absolute())).with_overrides(words)
    with stop_on_signal() as should_stop, show_stages(should_stop) as on_progress:
        result = run_demo(
            out,
            config=config,
            reporter=Reporter(on_progress=on_progress, should_stop=should_stop),
            began=began,
        )
    if result is None:
        raise KeyboardInterrupt
    if as_json:
        print_lines(result.retrieval.to_json())
        return
    console = Terminal()
    console.print(result.retrieval.to_table())
    if result.measured.known is not None:
        for verdict in verdicts(result.measured.known):
            print_line(verdict.line())
    console.print(f"Look at {result.page}; the model is {result.weights}", soft_wrap=True)
