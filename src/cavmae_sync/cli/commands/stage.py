"""`cavmae-sync stage`: make clips whose truth is known."""

from dataclasses import asdict
from pathlib import Path

from cavmae_sync.choices import Voice
from cavmae_sync.cli.options import Count, Json
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json

_REAL = Path("real")


def stage(
    out: Path,
    /,
    *words: str,
    num_clips: Count,
    pack: Path | None = None,
    voice: Voice = "effects",
    packages: Path = Path("/"),
    num_workers: Count | None = None,
    as_json: Json = False,
) -> None:
    """Make 10-second clips in which objects move and sound, and write down the truth (stage version 2).

    They are a controlled experiment, not a substitute for real video. OUT gets clips/*.mp4, labels.csv and
    truth.parquet. Stop it and run it again: finished clips stay. From 100 clips on, rules that learn nothing
    are tried on them, and OUT/proof.json says how far they come.

    Words, with their defaults:

    - `split=train`: objects that may appear; no object is in two of train, validation and test.
    - `seed=0`: another seed gives other clips of the same objects.
    - `variant=bind`: four objects sound in turn, equally loud, and the plate of the sounding one shows it.
      `no_pulse`: nothing shows it. `easy`: objects grow and light up with their loudness.
    - `classes=known`: `unknown` shows classes that no other stage shows; not for training.
    - `control=none`: a change made on purpose: swapped_sound, silent, both_silent_moving, flipped or
      shifted_sound.
    - `frame_pixels=224`: width and height of a frame.

    Example: cavmae-sync stage my-stage --num-clips 20 variant=bind split=test

    With `--pack real`, objects are real pictures with real sounds, from the Debian packages qabcs-data,
    tuxpaint-stamps-default and tuxpaint-data; they are copied to OUT/pack, with their licences.

    Args:
        out: Folder to write to.
        words: `key=value` words, for example `variant=easy`.
        num_clips: Number of clips.
        pack: Folder of cut-outs (NAME.png, NAME.ogg|wav|flac, classes.csv) instead of the built-in objects,
            or `real`.
        voice: Sounds of the real pack: recordings of the things (effects), spoken names in several languages
            (names), or both.
        packages: Folder that the packages of the real pack are unpacked in.
        num_workers: Processes that make clips; one per core unless given.
    """
    from cavmae_sync.recipes.proven_stage import prove_made_stage
    from cavmae_sync.stage import StageConfig, make_stage

    config = StageConfig().with_overrides(words)
    if pack == _REAL:
        from cavmae_sync.stage.packages import make_real_pack

        with show_progress("examining pictures and sounds") as advance:
            pack = make_real_pack(out / "pack", voice=voice, root=packages, on_progress=advance)
    with show_progress("making clips") as advance:
        summary = make_stage(
            out,
            config=config,
            num_clips=num_clips,
            pack=pack,
            num_workers=num_workers,
            on_progress=advance,
        )
    with show_progress("trying rules that learn nothing") as advance:
        proof = prove_made_stage(
            out,
            config=config,
            num_workers=num_workers,
            on_progress=lambda what, done, total: advance(done, total, what),
        )
    verdict = None if proof is None else proof.verdict
    if as_json:
        print_json(asdict(summary) | {"folder": str(summary.folder), "verdict": verdict}, indent=None)
        return
    Terminal().print(
        f"{summary.num_clips} clips of {summary.num_classes} classes in {summary.folder} "
        f"({summary.num_made} made now). {verdict or ''}",
        soft_wrap=True,
    )
