"""Teaching against truth: `python -m benchmarks.teaching --stage S --pack-stage R --work FOLDER --out FILE`.

S is a folder of generated clips (`cavmae-sync stage S --num-clips 400 variant=easy split=test
frame_pixels=96 frames_per_second=8`), R one of the real pack (`--pack real`, optional). They become
libraries, of a model and of the same model untrained. An oracle that knows which object sounds when (or is
seen) answers whatever is proposed. Counted are the marks until what the probe calls present is right in 90 %
of all moments of the library, and at least half of what there is is found. Every fourth file is new: nothing
of it is marked, and the probe is measured on it as well. Beside the proposals stand random
order, the surest first, rankings that learn nothing (loudness, brightness), and a probe that is fitted on all
labels of other files (the ceiling).

Then: how often the interval of 95 % holds the truth, for checks of a fixed number, and for a user who stops
as soon as the interval is narrow.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.metrics import average_precision_score, precision_recall_curve

from benchmarks.search_truth import share
from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, LibraryConfig, add_to_library, open_library
from cavmae_sync.media import read_clip
from cavmae_sync.model import CAVMAESync
from cavmae_sync.search import LibrarySearch
from cavmae_sync.stage import ClipTruth, StageTruth
from cavmae_sync.teaching.fitting import Directions, directions_of, fit_rule
from cavmae_sync.teaching.intervals import share_interval
from cavmae_sync.teaching.moments import Moments, Span
from cavmae_sync.teaching.names import SENSES_OF
from cavmae_sync.teaching.population import Population
from cavmae_sync.teaching.proposals import first_numbers, next_numbers
from cavmae_sync.training import load_run_or_weights

#: An object sounds in a moment when it is heard in it for so long, and is seen when in half of its frames.
HEARD_SECONDS: Final = 0.3
#: Marks after which precision and recall are noted; answers between two fits.
NOTED: Final = (21, 41, 81, 161)
BATCH: Final = 10
MOST_MARKS: Final = 201
WANTED: Final = 0.9
LEAST_RECALL: Final = 0.5
#: Classes with fewer moments are left out; every so many-th of the rest is taught.
LEAST_MOMENTS: Final = 40
EVERY: Final = 2
SEEDS: Final = 3
#: Random samples for each probe; runs of a user for each class and seed; width at which the user stops.
SALTS: Final = 20
REPEATS: Final = 3
NARROW: Final = 0.3
CHECKS: Final = (10, 20, 40)
#: Every so many-th file is new: nothing of it is proposed, and the probe is measured on it too.
NEW: Final = 4
_NOTED: Final = (
    "precision", "recall", "precision_of_unmarked", "new_precision", "new_recall", "new_recall_at_90",
)  # fmt: skip


@dataclass(frozen=True)
class Taught:
    """A library with its truth."""

    moments: Moments
    directions: Directions
    features: np.ndarray
    is_true: np.ndarray
    classes: list[str]

    @property
    def is_library(self) -> np.ndarray:
        """Moments of files that are not new."""
        return self.moments.content_N % NEW != NEW - 1


def main() -> None:
    """Make the libraries, teach, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pack-stage", type=Path)
    parser.add_argument("--model", type=Path, default=Path("small"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    trained = Embedder(load_run_or_weights(given.model, []), device="cpu")
    fresh = CAVMAESync(trained.model.config, generator=torch.Generator().manual_seed(0)).eval()
    result: dict[str, Any] = {"model": str(given.model), "seeds": SEEDS}
    if given.out is not None and given.out.exists():  # of the other stage
        result |= json.loads(given.out.read_text("utf-8"))
    both = {"generated": given.stage, "real": given.pack_stage}
    stages = {kind: stage for kind, stage in both.items() if stage is not None}
    for kind, stage in stages.items():
        for who, embedder in (("model", trained), ("untrained", Embedder(fresh, device="cpu"))):
            library = filled(embedder, stage / "clips", given.work / f"{kind}-{who}")
            for sense in ("sound", "picture"):
                opened = opened_library(library, stage, sense)
                orders = ("proposed", "uncertain", "random", "sure") if who == "model" else ("uncertain",)
                found = taught(opened, orders)
                if who == "model":
                    found["nothing learned"] = ranked_by(
                        opened, measured(opened, stage, given.work / f"{kind}.npz")[sense]
                    )
                found["ceiling"] = ceiling(opened)
                if who == "model" and sense == "sound":
                    result[f"{kind}, interval"] = coverage(opened)
                result[f"{kind}, {sense}, {who}"] = found
                print(table(f"{kind}, {sense}, {who}", found), flush=True)
    print(json.dumps({name: each for name, each in result.items() if "interval" in name}, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def filled(embedder: Embedder, clips: Path, folder: Path) -> Path:
    """Library of the clips, made where it is not there."""
    add_to_library(embedder, clips, out=folder, config=LibraryConfig(), options=FillOptions(num_workers=0))
    return folder


def opened_library(folder: Path, stage: Path, sense: str) -> Taught:
    """A library with the truth of its moments."""
    library = open_library(folder)
    search = LibrarySearch(library)
    moments = Moments(search.timelines, search.held, library.config, senses=SENSES_OF[sense], seconds=2.0)
    truths = StageTruth(stage)
    by_content = {
        content: truths[Path(search.held.places(content)[0].path).stem]
        for content in search.timelines.contents
    }
    classes = sorted({each.class_name for truth in by_content.values() for each in truth.objects})
    is_true = np.zeros((len(moments), len(classes)), bool)
    says = heard if sense == "sound" else seen
    for number in range(len(moments)):
        span = moments.span(number)
        for name in says(by_content[span.content], span):
            is_true[number, classes.index(name)] = True
    enough = np.flatnonzero(is_true.sum(axis=0) >= LEAST_MOMENTS)[::EVERY]
    return Taught(
        moments=moments,
        directions=directions_of(moments),
        features=moments.features(np.arange(len(moments))),
        is_true=is_true[:, enough],
        classes=[classes[number] for number in enough],
    )


def heard(truth: ClipTruth, span: Span) -> set[str]:
    """Classes that sound in a span."""
    names = {each.number: each.class_name for each in truth.objects}
    return {
        names[event.object_number]
        for event in truth.events
        if min(event.stop_seconds, span.stop_seconds) - max(event.start_seconds, span.start_seconds)
        >= HEARD_SECONDS
    }


def seen(truth: ClipTruth, span: Span) -> set[str]:
    """Classes that are seen in a span."""
    seconds = truth.frame_seconds_T
    inside = (seconds >= span.start_seconds) & (seconds < span.stop_seconds)
    return {
        each.class_name for each in truth.objects if inside.any() and each.is_visible_T[inside].mean() >= 0.5
    }


def measured(opened: Taught, stage: Path, cache: Path) -> dict[str, np.ndarray]:
    """Loudness of each moment in decibels, and its brightness."""
    if cache.exists():
        return dict(np.load(cache))
    files = {path.stem: path for path in (stage / "clips").iterdir()}
    by_content = {row.content: Path(row.path).stem for row in _files(opened)}
    found = {"sound": np.zeros(len(opened.moments)), "picture": np.zeros(len(opened.moments))}
    last, clip = "", None
    for number in range(len(opened.moments)):
        span = opened.moments.span(number)
        if span.content != last or clip is None:
            last, clip = span.content, read_clip(files[by_content[span.content]], num_frames=16)
        part = clip.waveform_S[round(span.start_seconds * 16_000) : round(span.stop_seconds * 16_000)]
        found["sound"][number] = np.log10(np.square(part).mean() + 1e-9)
        inside = (clip.frame_seconds_T >= span.start_seconds) & (clip.frame_seconds_T < span.stop_seconds)
        found["picture"][number] = clip.frames_THWC[inside].mean() if inside.any() else 0.0
    np.savez(cache, **found)
    return found


def _files(opened: Taught) -> list[Any]:
    held = opened.moments.held
    return [type("Row", (), {"content": each, "path": held.places(each)[0].path}) for each in held]


@dataclass
class State:
    """Marks of one run, and what follows from them."""

    learned: np.ndarray
    checked: np.ndarray
    logit: np.ndarray | None = None

    @property
    def num_marks(self) -> int:
        return int((self.learned >= 0).sum() + (self.checked >= 0).sum())


def run(
    opened: Taught,
    truth: np.ndarray,
    order: str,
    *,
    seed: int,
    on_fit: Callable[[State], bool],
    draw: np.ndarray,
) -> State:
    """Teach one class until `on_fit` says that it is enough, or there are many marks."""
    moments, generator = opened.moments, np.random.default_rng(seed)
    size = len(moments)
    state = State(np.full(size, -1, np.int8), np.full(size, -1, np.int8))
    state.learned[generator.choice(np.flatnonzero(truth & opened.is_library))] = (
        1  # an example that a search has found
    )
    while state.num_marks < MOST_MARKS:
        known = np.flatnonzero(state.learned >= 0)
        is_match = state.learned[known] == 1
        is_open = (state.learned < 0) & (state.checked < 0) & opened.is_library
        if is_match.all() or not is_match.any():
            state.logit = None
        else:
            others = opened.directions.others(state.learned >= 0)
            rule = fit_rule(opened.features[known], is_match, opened.directions, others_mD=others)
            state.logit = moments.logits(rule.weights_D, rule.bias)
            if on_fit(state):
                return state
        if order == "random":
            chosen = [
                (int(each), "random") for each in generator.permutation(np.flatnonzero(is_open))[:BATCH]
            ]
        elif state.logit is None:
            chosen = first_numbers(
                moments,
                is_open,
                opened.features[known[is_match]],
                opened.directions,
                count=BATCH,
                generator=generator,
            )
        elif order == "sure":
            ranked = np.argsort(-np.where(is_open, state.logit, -np.inf), kind="stable")[:BATCH]
            chosen = [(int(each), "sure") for each in ranked]
        else:
            enough = is_match.sum() >= 5 and (~is_match).sum() >= 5
            chosen = next_numbers(
                moments,
                population(opened, state, draw),
                opened.directions,
                count=BATCH,
                num_checks=3 if order == "proposed" and enough else 0,
            )
        for number, reason in chosen:
            (state.checked if reason == "check" else state.learned)[number] = truth[number]
    return state


def population(opened: Taught, state: State, draw: np.ndarray) -> Population:
    """What the probe says of the library; new files are not in it."""
    logit = np.where(opened.is_library, state.logit, -np.inf).astype(np.float32)
    return Population(logit_N=logit, learned_N=state.learned, checked_N=state.checked, draw_N=draw)


def precision_recall(logit: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Of what is called present; a precision without anything called present is not a number."""
    present = logit >= 0
    return (float(truth[present].mean()) if present.any() else np.nan), float(
        truth[present].sum() / truth.sum()
    )


def noted_of(opened: Taught, state: State, truth: np.ndarray) -> tuple[float, ...]:
    """The numbers of `_NOTED`."""
    library, unmarked = opened.is_library, opened.is_library & (state.learned < 0)
    logit = state.logit
    return (
        *precision_recall(logit[library], truth[library]),
        precision_recall(logit[unmarked], truth[unmarked])[0],
        *precision_recall(logit[~library], truth[~library]),
        recall_at(logit[~library], truth[~library]),
    )


def taught(opened: Taught, orders: Sequence[str]) -> dict[str, Any]:
    """Marks to the wanted precision, and precision and recall on the way, by order."""
    result: dict[str, Any] = {"moments": len(opened.moments), "classes": opened.classes}
    for order in orders:
        needed: list[int | None] = []
        noted: dict[int, list[tuple[float, ...]]] = {count: [] for count in NOTED}
        for number, seed in np.ndindex(len(opened.classes), SEEDS):
            truth = opened.is_true[:, number]
            reached: list[int] = []
            waiting = list(NOTED)

            def on_fit(state: State, truth=truth, reached=reached, waiting=waiting, noted=noted) -> bool:
                inside = opened.is_library
                precision, recall = precision_recall(state.logit[inside], truth[inside])
                if precision >= WANTED and recall >= LEAST_RECALL and not reached:
                    reached.append(state.num_marks)
                while waiting and state.num_marks >= waiting[0]:
                    noted[waiting.pop(0)].append(noted_of(opened, state, truth))
                return False

            draw = np.random.default_rng([seed, number]).random(len(truth))
            run(opened, truth, order, seed=1000 * seed + number, on_fit=on_fit, draw=draw)
            needed.append(reached[0] if reached else None)
        result[order] = {
            "marks_needed": needed,
            "median_marks": float(np.median([MOST_MARKS if each is None else each for each in needed])),
            "reached": share(sum(each is not None for each in needed), len(needed)),
            "after": {
                count - 1: dict(zip(_NOTED, np.nanmean(rows, axis=0).round(3).tolist(), strict=True))
                for count, rows in noted.items()
                if rows
            },
        }
    return result


def recall_at(score: np.ndarray, truth: np.ndarray) -> float:
    """Greatest recall of any threshold whose precision is as wanted, chosen by the truth."""
    precision, recall, _ = precision_recall_curve(truth, score)
    return float(recall[precision >= WANTED].max(initial=0.0))


def ranked_by(opened: Taught, value: np.ndarray) -> dict[str, float]:
    """A ranking that learns nothing; each class may turn it round."""
    rows = []
    for truth in opened.is_true.T:
        both = [(average_precision_score(truth, each), recall_at(each, truth)) for each in (value, -value)]
        rows.append((*max(both), truth.mean()))
    names = ("average_precision", "recall_at_90", "share_of_moments")
    return dict(zip(names, np.mean(rows, axis=0).round(3).tolist(), strict=True))


def ceiling(opened: Taught) -> dict[str, float]:
    """A probe on all labels of the library, on new files."""
    library, rows = opened.is_library, []
    for truth in opened.is_true.T:
        nothing = np.zeros((0, opened.features.shape[1]))
        rule = fit_rule(opened.features[library], truth[library], opened.directions, others_mD=nothing)
        logit = rule.logits(opened.features[~library])
        rows.append((average_precision_score(truth[~library], logit), recall_at(logit, truth[~library])))
    names = ("new_average_precision", "new_recall_at_90")
    return dict(zip(names, np.mean(rows, axis=0).round(3).tolist(), strict=True))


Held = tuple[int, int, float]


def coverage(opened: Taught) -> dict[str, Any]:
    """How often the interval holds the truth of the moments that it is about."""
    fixed: dict[int, list[Held]] = {count: [] for count in CHECKS}
    used: dict[str, list[Held]] = {"as proposed": [], "stopped when narrow": []}
    for number, seed in np.ndindex(len(opened.classes), SEEDS):
        truth = opened.is_true[:, number]
        generator = np.random.default_rng([7, seed, number])
        _drawn_anew(opened, truth, seed, generator, fixed)
        for repeat in range(REPEATS):
            _as_used(opened, truth, REPEATS * seed + repeat, generator.random(len(truth)), used)
    return {
        **{f"{count} checks, drawn anew": _summary(rows) for count, rows in fixed.items()},
        **{name: _summary(rows) for name, rows in used.items()},
    }


def _drawn_anew(
    opened: Taught, truth: np.ndarray, seed: int, generator: np.random.Generator, fixed: dict[int, list[Held]]
) -> None:
    """The probe stays, and the random sample is drawn many times."""

    def on_fit(state: State) -> bool:
        for _ in range(SALTS if state.num_marks in (31, 61, 121) else 0):
            rest = population(opened, state, generator.random(len(truth))).rest()
            for count in (each for each in CHECKS if len(rest) > each):
                fixed[count].append(_held(truth[rest[:count]], truth[rest]))
        return False

    run(opened, truth, "uncertain", seed=seed, on_fit=on_fit, draw=np.zeros(len(truth)))


def _as_used(
    opened: Taught, truth: np.ndarray, seed: int, draw: np.ndarray, used: dict[str, list[Held]]
) -> None:
    """Marks as proposed, three checks of ten; the probe changes after each ten."""
    stopped: list[bool] = []

    def on_fit(state: State) -> bool:
        now = population(opened, state, draw)
        answers, _ = now.checked()
        if len(answers) >= CHECKS[0]:
            found = _held(answers == 1, truth[now.rest()])
            if state.num_marks in (81, 161):
                used["as proposed"].append(found)
            if found[2] <= NARROW and not stopped:
                stopped.append(True)
                used["stopped when narrow"].append(found)
        return False

    run(opened, truth, "proposed", seed=seed, on_fit=on_fit, draw=draw)


def _held(answers: np.ndarray, rest: np.ndarray) -> Held:
    """-1 where the interval lies below the truth, 1 above, 0 where it holds; number of checks; width."""
    found = share_interval(int(answers.sum()), 0, len(answers), len(rest))
    truth = float(rest.mean())
    return int(found.low > truth + 1e-9) - int(found.high < truth - 1e-9), len(answers), found.width


def _summary(rows: Sequence[Held]) -> dict[str, Any]:
    if not rows:
        return {"estimates": 0}
    side = np.array([row[0] for row in rows])
    return {
        "estimates": len(rows),
        "held": share(int((side == 0).sum()), len(rows)),
        "too_low": float((side == -1).mean()),
        "too_high": float((side == 1).mean()),
        "mean_checks": float(np.mean([row[1] for row in rows])),
        "mean_width": float(np.mean([row[2] for row in rows])),
    }


def table(name: str, found: Mapping[str, Any]) -> str:
    """Markdown table of one library."""
    lines = [f"\n{name}: {found['moments']} moments, {len(found['classes'])} classes"]
    for order, each in found.items():
        if isinstance(each, dict) and "after" in each:
            steps = "; ".join(
                f"{count}: " + " / ".join(f"{100 * at[each_name]:.0f}" for each_name in _NOTED)
                for count, at in each["after"].items()
            )
            lines.append(
                f"| {order} | {each['median_marks']:.0f} | {100 * each['reached']['value']:.0f} % | {steps} |"
            )
        elif isinstance(each, dict):
            lines.append(f"| {order} | {each} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
