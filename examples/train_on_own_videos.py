"""Pretrain a small model on a folder of videos, and measure it on files that it never saw.

    python examples/train_on_own_videos.py my-videos --out my-first-run

Stopped with Ctrl-C, the same command goes on. Every fifth file is held out. A number means something only
beside others: the same measure of an untrained model and of guessing are printed with it.
"""

import argparse
from pathlib import Path

import rich

import cavmae_sync as cs
from cavmae_sync.recipes import continue_pretraining
from cavmae_sync.tasks import untrained


def main(videos: Path, out: Path, config: cs.PretrainConfig) -> None:
    """Prepare, train, measure; each step is skipped where an earlier run finished it."""
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(path.absolute() for path in videos.rglob("*") if path.is_file())
    lists = {"test": files[::5], "train": [path for i, path in enumerate(files) if i % 5 != 0]}
    for split, listed in lists.items():
        (out / f"{split}.txt").write_text("".join(f"{path}\n" for path in listed))
        report = cs.prepare(out / f"{split}.txt", out=out / f"data-{split}")
        # Files that cannot be used cost only themselves. data-*/rejected.parquet says why.
        print(f"{split}: {report.num_clips} clips, {report.num_files_rejected} files rejected")

    run = out / "run"
    if (run / "config.json").exists():
        continue_pretraining(run)
    else:
        cs.run_pretraining(config, data=out / "data-train", out=run)

    embedder = cs.Embedder(cs.load_model(run))
    clips = cs.PreparedDataset.open(out / "data-test")
    for name, measured in (("trained", embedder), ("untrained", untrained(embedder))):
        rich.print(f"\n{name}", cs.evaluate_retrieval(measured, clips).to_table())


# Preparing starts worker processes, and each of them imports this file: what runs stands behind this line.
if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, help="folder of video files with sound")
    parser.add_argument("--out", type=Path, required=True, help="folder for datasets and the run")
    parser.add_argument(
        "--recipe", default="stage_sync_base", help="name; cavmae-sync pretrain --help has all"
    )
    parser.add_argument("words", nargs="*", help="key.path=value words that change the recipe")
    arguments = parser.parse_intermixed_args()
    main(arguments.videos, arguments.out, cs.find_recipe(arguments.recipe).with_overrides(arguments.words))
