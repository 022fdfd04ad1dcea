"""What the paper says about each of its tables, and what we ask of ours, as comparisons of rows."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cavmae_sync.recipes.sync_plus import SYNC_PLUS_PARTS
from cavmae_sync.recipes.tables.stage_cells import PERCENTILE_HEADING


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A row that should have more of something than another one.

    Attributes:
        better: Row that should have more.
        worse: The other row.
        heading: Column.
        other_heading: Column of the worse row, where that is another one.
        is_gain: Whether what each row has above its own untrained model is compared.
    """

    better: str
    worse: str
    heading: str
    other_heading: str | None = None
    is_gain: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What the paper says.

    Attributes:
        text: In words.
        source: Where it says so.
        comparisons: What has to hold.
    """

    text: str
    source: str
    comparisons: tuple[Comparison, ...]


def _each(better: str, worse: str, *headings: str) -> tuple[Comparison, ...]:
    return tuple(Comparison(better=better, worse=worse, heading=heading) for heading in headings)


def _gains(heading: str, *rows: str) -> tuple[Comparison, ...]:
    """Training gives each row more of something than the next one."""
    return tuple(
        Comparison(better=better, worse=worse, heading=heading, is_gain=True)
        for better, worse in itertools.pairwise(rows)
    )


def _hears(row: str, rule: str) -> tuple[Comparison, ...]:
    """A map finds more by the own sound than by that of another class."""
    return (
        Comparison(better=row, worse=row, heading=f"{rule} mAP", other_heading=f"{rule} mAP, swapped sound"),
    )


def _maps(better: str, worse: str) -> tuple[Comparison, ...]:
    """The paper's map is better, and hears: a map may find more of what is striking whatever is heard."""
    return (*_each(better, worse, "cosine mIoU"), *_hears(better, "cosine"))


def _states_above(control: str, *metrics: str) -> tuple[Comparison, ...]:
    """States of the model are nearer to the true ones than those of a control."""
    return tuple(
        Comparison(
            better="Ours",
            worse="Ours",
            heading=f"states {metric}",
            other_heading=f"states {metric}, {control}",
        )
        for metric in metrics
    )


_R1: Final = "stage R@1"
_PROBE: Final = "stage probe mAP"
_LADDER: Final = ("CAV-MAE (base)", "Scale+", "Scale++", "Scale++*", "Scale+++", "Ours")

_GAINS: Final = (_R1, "A>V R@1", "moment")


def _of_sync_plus() -> tuple[Claim, ...]:
    """What we ask of each part, and of all together."""
    rows = [(part.replace("_", " "), f"{part.replace('_', ' ')} alone") for part in SYNC_PLUS_PARTS]
    found = [
        Claim(
            text=f"{about}: more than `sync_base` both ways, and more moments.",
            source="ours",
            comparisons=_each(row, "sync", *_GAINS),
        )
        for row, about in [("sync_plus", "`sync_plus_base`"), *rows]
    ]
    kept = {
        "WHAT": _each("sync_plus", "sync", "WHAT R@1"),
        "the probe": _each("sync_plus", "sync", _PROBE),
        "maps by masking, which hear": _each("sync_plus", "sync", "masking mAP")
        + _hears("sync_plus", "masking"),
    }
    return (
        *found,
        *(
            Claim(text=f"`sync_plus_base` also raises {name}.", source="ours", comparisons=comparisons)
            for name, comparisons in kept.items()
        ),
    )


CLAIMS: Final[Mapping[str, tuple[Claim, ...]]] = MappingProxyType(
    {
        "sync_plus": _of_sync_plus(),
        "tg_dp": (
            Claim(
                text="A second pass with half hidden helps by itself, sound to picture (23.2 -> 27.4).",
                source="TG-DP's ablation, one direction at a time here",
                comparisons=_each("second pass", "base", "A>V R@1"),
            ),
            Claim(
                text="A second pass with half hidden helps by itself, picture to sound.",
                source="ours",
                comparisons=_each("second pass", "base", _R1),
            ),
            Claim(
                text="Both directions help by themselves, sound to picture.",
                source="ours",
                comparisons=_each("both directions", "base", "A>V R@1"),
            ),
            Claim(
                text="A second pass helps where both directions are trained.",
                source="ours",
                comparisons=_each("second pass, both directions (TG-DP)", "both directions", _R1, "A>V R@1"),
            ),
        ),
        "windows": (
            Claim(
                text="4 s of sound tell more of what belongs together than 0.5 s.",
                source="ours; meant for `variant=no_pulse`, where time alone tells nothing",
                comparisons=_each("4 s", "0.5 s", "WHAT R@1"),
            ),
        ),
        "table1": (
            Claim(
                text="CAV-MAE Sync finds the sound of a picture better than CAV-MAE and Scale+.",
                source="Table 1",
                comparisons=_each("Ours", "CAV-MAE", _R1) + _each("Ours", "CAV-MAE Scale+", _R1),
            ),
            Claim(
                text="Picture to sound is easier than sound to picture.",
                source="Table 1, both directions",
                comparisons=(Comparison(better="Ours", worse="Ours", heading=_R1, other_heading="A>V R@1"),),
            ),
        ),
        "table2": (
            *(
                Claim(
                    text=f"A probe reads more from CAV-MAE Sync than from {name}.",
                    source="Table 2",
                    comparisons=_each("Ours", name, _PROBE),
                )
                for name in ("CAV-MAE", "CAV-MAE Scale+", "CAV-MAE Scale++", "CAV-MAE Scale+++")
            ),
            Claim(
                text="Training gives a probe more in CAV-MAE Sync than in CAV-MAE Scale+++.",
                source="ours, each beside its untrained model",
                comparisons=_gains(_PROBE, "Ours", "CAV-MAE Scale+++"),
            ),
        ),
        "table3": (
            Claim(
                text="Its cosine map shows better what sounds than that of Scale++.",
                source="Table 3",
                comparisons=_maps("Ours", "CAV-MAE Scale++"),
            ),
            Claim(
                text="Its cosine map hears: the own sound finds more than the sound of another class.",
                source="Table 3, what the map stands for",
                comparisons=_hears("Ours", "cosine"),
            ),
        ),
        "table4": tuple(
            Claim(text=f"{better} {what} {worse}.", source=source, comparisons=_each(better, worse, heading))
            for heading, what, source in (
                (_R1, "is better than", "Table 4, the ladder"),
                (PERCENTILE_HEADING, "has the right sound further ahead than", "ours, where R@1 is too low"),
            )
            for worse, better in itertools.pairwise(_LADDER)
        ),
        "table5": (
            Claim(
                text="16 frames in training and evaluation are better than 10 and 10.",
                source="Table 5",
                comparisons=_each("16 / 16", "10 / 10", _R1),
            ),
            Claim(
                text="16 frames in evaluation are better than 10.",
                source="Table 5",
                comparisons=_each("16 / 16", "16 / 10", _R1) + _each("10 / 16", "10 / 10", _R1),
            ),
        ),
        "table6": (
            Claim(
                text="8 registers give better maps than none.",
                source="Table 6",
                comparisons=_maps("8", "0"),
            ),
            Claim(
                text="8 registers give a probe more than none.",
                source="Table 6",
                comparisons=_each("8", "0", _PROBE),
            ),
            Claim(
                text="No registers find more than 8 (35.5 against 35.2).",
                source="Table 6",
                comparisons=_each("0", "8", _R1),
            ),
        ),
        "table7": tuple(
            Claim(
                text=f"With a global token {what}.",
                source="Table 7, lower everywhere without",
                comparisons=comparisons,
            )
            for what, comparisons in {
                "retrieval finds more": _each("with", "without", _R1),
                "a probe reads more": _each("with", "without", _PROBE),
                "maps are better": _maps("with", "without"),
            }.items()
        ),
        "table8": (
            Claim(
                text="A mask ratio of 0.6 finds more than 0.75.",
                source="Table 8",
                comparisons=_each("0.6", "0.75", _R1),
            ),
            Claim(
                text="A mask ratio of 0.75 localises better than 0.6.",
                source="Table 8",
                comparisons=_maps("0.75", "0.6"),
            ),
            Claim(
                text="A mask ratio of 0.9 hurts retrieval.",
                source="Table 8, text",
                comparisons=_each("0.75", "0.9", _R1),
            ),
            Claim(
                text="A mask ratio of 0.9 helps localisation.",
                source="Table 8, text",
                comparisons=_maps("0.9", "0.75"),
            ),
            Claim(
                text="A ratio drawn from 0.6 to 0.9 at each step is worse everywhere.",
                source="Table 8, text",
                comparisons=_each("0.75", "0.6 to 0.9", _R1) + _maps("0.75", "0.6 to 0.9"),
            ),
        ),
        "table10": (
            Claim(
                text="Sound and picture together give a probe more than either alone.",
                source="Table 10",
                comparisons=_each("audio-visual", "audio only", _PROBE)
                + _each("audio-visual", "video only", _PROBE),
            ),
        ),
        "table11": (
            Claim(
                text="The mean of the diagonal is better than that of the whole matrix.",
                source="Table 11",
                comparisons=_each("diag mean", "block mean", _R1),
            ),
            Claim(
                text="The mean of the diagonal is better than its maximum, and than that of the matrix.",
                source="Table 11",
                comparisons=_each("diag mean", "diag max", _R1) + _each("diag mean", "block max", _R1),
            ),
        ),
        "table12": (
            Claim(
                text="A probe reads most from the global token, less from registers, least from patches.",
                source="Table 12",
                comparisons=_each("8 registers, global", "8 registers, registers", _PROBE)
                + _each("8 registers, registers", "8 registers, patches", _PROBE),
            ),
            Claim(
                text="With registers the global token gives a probe more.",
                source="Table 12",
                comparisons=_each("8 registers, global", "0 registers, global", _PROBE),
            ),
            Claim(
                text="Training gives a probe most in the global token, less in registers, least in patches.",
                source="ours, each kind of token beside its untrained ones",
                comparisons=_gains(
                    _PROBE, "8 registers, global", "8 registers, registers", "8 registers, patches"
                ),
            ),
        ),
        "figure6": (
            Claim(
                text="Its states change where what is heard and seen changes.",
                source="Figure 6, by examples",
                comparisons=_states_above("equal parts", "F1"),
            ),
            Claim(
                text="Its states say more than loudness alone.",
                source="ours, what could stand behind Figure 6",
                comparisons=_states_above("loudness", "F1", "Rand"),
            ),
        ),
        "figure4": (
            Claim(
                text="About 4 s of sound are better than 1 s.",
                source="Figure 4",
                comparisons=_each("4 s", "1 s", _R1),
            ),
            Claim(
                text="About 4 s of sound are better than 10 s.",
                source="Figure 4",
                comparisons=_each("4 s", "10 s", _R1),
            ),
            Claim(
                text="About 4 s of sound are better than 8 s.",
                source="Figure 4, its curve; a sixth of the cost of 10 s",
                comparisons=_each("4 s", "8 s", _R1),
            ),
        ),
    }
)
