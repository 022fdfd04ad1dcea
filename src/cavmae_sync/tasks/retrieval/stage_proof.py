"""Proof of a stage: what rules that learn nothing reach on it, and what the truth would reach.

A stage is a fair test of synchrony only where no rule of a few lines solves it. Every stage says so of
itself.

Letters: N clips, T frames per clip.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import torch
from scipy.stats import binom, norm
from torch import Tensor

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding.embedder import OnProgress
from cavmae_sync.metrics.bootstrap import bootstrap_means, interval
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.retrieval.clip_cues import LAGS_SECONDS, ClipCues, read_cues
from cavmae_sync.tasks.retrieval.cue_baselines import cue_baselines
from cavmae_sync.tasks.retrieval.fitted_baselines import fitted_baselines
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS
from cavmae_sync.tasks.retrieval.measures import Measures
from cavmae_sync.tasks.retrieval.stage_ceiling import read_moments, stage_ceilings

Group = Literal["rule", "linear fit", "ceiling"]

#: Fewest clips from which anything is concluded.
MIN_CLIPS: Final = 100
#: Chance that a stage without any such cue is blamed all the same, over all rules and measures together.
_SIGNIFICANCE: Final = 0.05
_NUM_RESAMPLES: Final = 1000
#: Choices that a rule makes by looking at the answers: its lag, and whether up goes with up.
_NUM_CHOICES: Final = 2 * len(LAGS_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofRow:
    """One number of a proof, the mean of both directions.

    Attributes:
        group: `rule` (learns nothing), `linear fit` (fitted on the first half of the clips, measured on the
            second) or `ceiling` (the truth).
        name: Which one, for example "loudness against brightness".
        measure: `both`, `what` and `when` are recall at 1, `moment` and `state` accuracies within clips.
        value: In [0, 1].
        low: Lower end of the 95 % interval.
        high: Upper end.
        chance: Value of guessing.
        p_value: Probability that guessing is at least as good.
    """

    group: Group
    name: str
    measure: str
    value: float
    low: float
    high: float
    chance: float
    p_value: float

    def text(self) -> str:
        """Text of the row: "loudness against brightness, 64.8 % (chance 0.2 %)"."""
        return f"{self.name}, {100 * self.value:.1f} % (chance {100 * self.chance:.3g} %)"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageProof:
    """Proof of a stage.

    Attributes:
        stage: Name of the stage.
        num_clips: Clips that were measured.
        rows: All numbers.
    """

    stage: str
    num_clips: int
    rows: tuple[ProofRow, ...]

    def above_chance(self, group: Group = "rule") -> tuple[ProofRow, ...]:
        """Numbers of a group that are above chance, the largest first, with all comparisons accounted for."""
        rows = [row for row in self.rows if row.group == group]
        choices = _NUM_CHOICES if group == "rule" else 1
        bound = _SIGNIFICANCE / max(len(rows) * choices, 1)
        found = (row for row in rows if row.p_value < bound)
        return tuple(sorted(found, key=lambda row: row.value / row.chance, reverse=True))

    @property
    def verdict(self) -> str:
        """Verdict in a sentence or two."""
        if self.num_clips < MIN_CLIPS:
            return f"{self.num_clips} clips are too few to prove anything; {MIN_CLIPS} are needed."
        rules = [row for row in self.rows if row.group == "rule"]
        found = self.above_chance()
        if not found:
            best = max(rows_of(rules, "when"), key=lambda row: row.value)
            return f"All {len(rules)} numbers of rules are at chance; the best for WHEN is {best.text()}."
        best = [max(rows, key=lambda row: row.value) for _, rows in _by_measure(found)]
        listed = "; ".join(f"{row.measure}: {row.text()}" for row in best)
        return f"Rules that learn nothing are above chance. {listed}."

    def to_json(self) -> str:
        """All numbers and the verdict, as text for `proof.json`."""
        content: dict[str, Any] = {
            "stage": self.stage,
            "num_clips": self.num_clips,
            "verdict": self.verdict,
            "rows": [asdict(row) for row in self.rows],
        }
        return json.dumps(content, indent=1) + "\n"


def rows_of(rows: list[ProofRow], measure: str) -> list[ProofRow]:
    """Rows of one measure."""
    return [row for row in rows if row.measure == measure]


def prove_stage(
    clips: PreparedDataset, truth: StageTruth, *, on_progress: OnProgress | None = None
) -> StageProof:
    """Measure every rule, linear fits and the truth on clips of a stage.

    Args:
        clips: Prepared from the stage.
        truth: Of that stage.
        on_progress: Called with clips read and clips in all.
    """
    cues, moments = read_cues(clips, on_progress=on_progress), read_moments(clips, truth)
    hits_NTT = moments.hits()
    groups: list[tuple[Group, Mapping[str, Measures]]] = [("rule", cue_baselines(cues, hits_NTT=hits_NTT))]
    half = len(clips) // 2
    if half > 1:
        train, test = _part(cues, slice(0, half)), _part(cues, slice(half, None))
        groups.append(("linear fit", fitted_baselines(train, test, hits_NTT=hits_NTT[half:])))
    groups.append(("ceiling", stage_ceilings(moments, hits_NTT=hits_NTT)))
    named = [(group, name, each) for group, found in groups for name, each in found.items()]
    rows = [row for group, name, each in named for row in _rows(group, name, each)]
    return StageProof(stage=truth.name, num_clips=len(clips), rows=tuple(rows))


def _rows(group: Group, name: str, measures: Measures) -> Iterator[ProofRow]:
    values = measures.clip_values()
    for measure, chance in measures.chances().items():
        of_clips_N = torch.stack([values[f"{measure}/{direction}"] for direction in DIRECTIONS]).mean(dim=0)
        samples_DX = bootstrap_means(
            of_clips_N[None], num_resamples=_NUM_RESAMPLES, generator=torch.Generator().manual_seed(0)
        )
        spread = interval(samples_DX[0])
        yield ProofRow(
            group=group,
            name=name,
            measure=measure,
            value=float(of_clips_N.mean()),
            low=spread.low,
            high=spread.high,
            chance=chance,
            p_value=_p_value(of_clips_N, chance, is_recall=measure in measures.matches),
        )


def _p_value(of_clips_N: Tensor, chance: float, *, is_recall: bool) -> float:
    """Probability of such a mean, or a larger one, by guessing."""
    if is_recall:
        # Two answers for each clip, one in each direction, each right with the probability of chance.
        num_right = float(of_clips_N.sum()) * len(DIRECTIONS)
        return float(binom.sf(num_right - 0.5, len(DIRECTIONS) * len(of_clips_N), chance))
    error = float(of_clips_N.std()) / len(of_clips_N) ** 0.5
    return float(norm.sf((float(of_clips_N.mean()) - chance) / max(error, 1e-12)))


def _part(cues: ClipCues, rows: slice) -> ClipCues:
    return replace(
        cues,
        sounds={name: curve[rows] for name, curve in cues.sounds.items()},
        pictures={name: curve[rows] for name, curve in cues.pictures.items()},
        spectra_NTM=cues.spectra_NTM[rows],
        pictures_NTG=cues.pictures_NTG[rows],
    )


def _by_measure(rows: tuple[ProofRow, ...]) -> list[tuple[str, list[ProofRow]]]:
    names = list(dict.fromkeys(row.measure for row in rows))
    return [(name, rows_of(list(rows), name)) for name in names]
