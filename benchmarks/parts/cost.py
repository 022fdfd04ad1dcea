"""Cost against size: preparation, embedding, similarity, at three sizes. A straight line is aimed at."""

import shutil
from functools import partial
from pathlib import Path

from benchmarks import footage
from benchmarks.models import fresh, small_training
from benchmarks.part import Part, Setting, Variant, Work
from cavmae_sync.data import prepare
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, add_to_library

#: Clips, in ascending order.
SIZES = (16, 32, 64)
_QUICK = 8  # a quick run takes an eighth of them


def preparation(setting: Setting, *, count: int) -> Work:
    """`cavmae-sync prepare` of so many small clips, in this process."""
    listed, count = _listed(setting, count)
    out = setting.folder / f"cost-prepared-{count}"

    def repeat() -> dict[str, float]:
        shutil.rmtree(out, ignore_errors=True)
        prepare(listed, out=out, config=footage.SMALL_CLIPS, num_workers=0)
        return {"clips": count, "bytes": _stored(out)}

    return Work(repeat=repeat, units=count, warm_up=lambda: _warm_up(setting))


def embedding(setting: Setting, *, count: int) -> Work:
    """`cavmae-sync embed --videos` of so many small clips with the demo's model, in this process."""
    listed, count = _listed(setting, count)
    out = setting.folder / f"cost-embedded-{count}"
    model = fresh(small_training(8).model, setting).eval()
    embedder = Embedder(model, device=setting.device)

    def repeat() -> dict[str, float]:
        shutil.rmtree(out, ignore_errors=True)
        add_to_library(embedder, listed, out=out, options=FillOptions(num_workers=0))
        return {"clips": count, "bytes": _stored(out)}

    return Work(repeat=repeat, units=count, warm_up=lambda: _warm_up(setting))


def _listed(setting: Setting, count: int) -> tuple[Path, int]:
    """A list of the first clips of the stage."""
    count = setting.pick(count, count // _QUICK)
    paths = sorted(footage.stage_clips(setting).glob("*.mp4"))[:count]
    listed = setting.folder / f"first-{count}.txt"
    part = listed.with_suffix(".part")
    part.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    part.rename(listed)
    return listed, count


def _warm_up(setting: Setting) -> None:
    """Two clips, so that no size pays for what is loaded at first use."""
    listed, _ = _listed(setting, 2 * setting.pick(1, _QUICK))
    out = setting.folder / "cost-warm-up"
    shutil.rmtree(out, ignore_errors=True)
    prepare(listed, out=out, config=footage.SMALL_CLIPS, num_workers=0)


def _stored(folder: Path) -> float:
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def _prepare(setting: Setting) -> None:
    footage.stage_clips(setting)


def _part(name: str, title: str, make) -> Part:
    return Part(
        name=name,
        title=title,
        unit="clip",
        rounds=2,
        prepare=_prepare,
        variants=tuple(
            Variant(name=f"{count} clips", make=partial(make, count=count), is_set_up=True) for count in SIZES
        ),
        note="Time per clip should be the same at every size (ratio 1), and memory should not grow.",
    )


PARTS = (
    _part("cost-preparation", "preparation of generated clips of 96 pixels, three sizes", preparation),
    _part("cost-embedding", "generated clips of 96 pixels to stored vectors, three sizes", embedding),
)
