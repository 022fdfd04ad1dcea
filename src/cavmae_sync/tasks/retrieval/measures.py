"""Measures of what a model knows: WHAT belongs together, WHEN, both, and the moment within a clip.

- *both*: plain recall. Whatever tells clips apart may help.
- *WHAT*: the frames of each clip are in another order, so only what is seen and heard can tell.
- *WHEN*: the mean of each clip is removed, so only how a clip changes can tell.
- *moment*: within one clip, which of its T sounds belongs to a frame, and which frame to a sound.

Letters: N clips (all are queries and gallery), T frames per clip, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from cavmae_sync.choices import AggregationName, TieRule
from cavmae_sync.metrics.moments import (
    OffsetCurve,
    moment_accuracy,
    moment_chance,
    moment_choices,
    offset_curve,
    own_moments,
)
from cavmae_sync.metrics.what_when import with_permuted_frames, without_clip_means
from cavmae_sync.tasks.retrieval.matches import DIRECTIONS, Direction, Matches, find_matches

#: What a recall is measured on: vectors as they are, or without WHEN, or without WHAT.
Kind = Literal["both", "what", "when"]

KINDS: Final[tuple[Kind, ...]] = ("both", "what", "when")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Vectors of sounds and of frames whose dot product is the score of a rule.

    Attributes:
        audio_NTD: One vector for each clip and moment. Their length matters only to rules without learning.
        visual_NTD: The same of the frames.
    """

    audio_NTD: Tensor
    visual_NTD: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class MomentAnswers:
    """Answers within clips, in both directions.

    Attributes:
        choices: float64 [N, T, T] by direction: share of query t's answer that candidate s gets.
        hits_NTT: bool; moments of one clip with the same true state. None where no truth is known.
    """

    choices: Mapping[Direction, Tensor]
    hits_NTT: Tensor | None = None

    def accuracy(self, direction: Direction) -> Tensor:
        """Share of each clip's moments for which the own time is chosen: float64 [N]."""
        choices_NTT = self.choices[direction]
        return moment_accuracy(choices_NTT, own_moments(*choices_NTT.shape[:2]))

    def state_accuracy(self, direction: Direction) -> Tensor:
        """Share of each clip's moments for which a moment of the same true state is chosen: float64 [N]."""
        if self.hits_NTT is None:
            raise ValueError("Without the truth it is not known which moments have the same state.")
        return moment_accuracy(self.choices[direction], self.hits_NTT)

    @property
    def chance(self) -> float:
        """Accuracy of guessing, 1 / T."""
        return 1 / self.choices["audio_to_visual"].shape[1]

    def state_chance(self) -> Tensor:
        """Accuracy of guessing where all moments of the same true state are right: float64 [N]."""
        if self.hits_NTT is None:
            raise ValueError("Without the truth it is not known which moments have the same state.")
        return moment_chance(self.hits_NTT)

    def curve(self, direction: Direction) -> OffsetCurve:
        """How often the best sound of a frame is the one d frames later."""
        return offset_curve(self.choices[direction], queries_are_sounds=direction == "audio_to_visual")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """Everything that is counted of one model or rule, from which all numbers follow.

    Attributes:
        matches: Places of the own clips, by kind. Clips of one moment have only "both".
        moments: Answers within clips; None for clips of one moment.
        num_unchanging: Vectors that equal the mean of their clip: they cannot tell WHEN.
    """

    matches: Mapping[Kind, Matches]
    moments: MomentAnswers | None
    num_unchanging: int = 0

    def clip_values(self, ties: TieRule = "mean") -> dict[str, Tensor]:
        """Value of each clip in every measure: float64 [N] in [0, 1], by `measure/direction`.

        Recall at 1 for the kinds (`both`, `what`, `when`), and the accuracy `moment` (and `state` where the
        truth is known). Means over clips are the numbers of a report; equal draws give paired intervals.
        """
        values = {
            f"{kind}/{direction}": (ranks_N < 1).double()
            for kind, matches in self.matches.items()
            for direction, ranks_N in matches.ranks(ties).items()
        }
        if self.moments is not None:
            for direction in DIRECTIONS:
                values[f"moment/{direction}"] = self.moments.accuracy(direction)
            if self.moments.hits_NTT is not None:
                for direction in DIRECTIONS:
                    values[f"state/{direction}"] = self.moments.state_accuracy(direction)
        return values

    def chances(self) -> dict[str, float]:
        """Value of guessing by measure, as `clip_values` names them without the direction."""
        num_clips = self.matches["both"].by_direction["audio_to_visual"].num_gallery
        chances: dict[str, float] = dict.fromkeys(self.matches, 1 / num_clips)
        if self.moments is not None:
            chances["moment"] = self.moments.chance
            if self.moments.hits_NTT is not None:
                chances["state"] = float(self.moments.state_chance().mean())
        return chances


def measure_vectors(
    pair: Pair,
    *,
    aggregation: AggregationName = "diagonal_mean",
    seed: int = 0,
    hits_NTT: Tensor | None = None,
) -> Measures:
    """Measures of vectors of a model.

    Args:
        pair: Unit rows.
        aggregation: How the cosines of two clips' frames become one score.
        seed: Seed of the other orders of frames.
        hits_NTT: Moments of a clip with the same true state; None where no truth is known.
    """
    if pair.audio_NTD.shape[1] == 1:
        return measure_pairs({"both": pair}, moment=None, aggregation=aggregation)
    generator = torch.Generator().manual_seed(seed)
    audio, visual = (without_clip_means(each) for each in (pair.audio_NTD, pair.visual_NTD))
    pairs: dict[Kind, Pair] = {
        "both": pair,
        "what": Pair(
            audio_NTD=pair.audio_NTD,
            visual_NTD=with_permuted_frames(pair.visual_NTD, generator=generator),
        ),
        "when": Pair(audio_NTD=audio.vectors_NTD, visual_NTD=visual.vectors_NTD),
    }
    return measure_pairs(
        pairs,
        moment=pair,
        aggregation=aggregation,
        hits_NTT=hits_NTT,
        num_unchanging=audio.num_zero + visual.num_zero,
    )


def measure_pairs(
    pairs: Mapping[Kind, Pair],
    *,
    moment: Pair | None,
    aggregation: AggregationName = "diagonal_mean",
    hits_NTT: Tensor | None = None,
    num_unchanging: int = 0,
) -> Measures:
    """Measures of a rule that scores each kind by vectors of its own.

    Args:
        pairs: Vectors by kind; clips of one moment have only "both".
        moment: Vectors that are compared within clips.
        aggregation: How the scores of two clips' frames become one.
        hits_NTT: Moments of a clip with the same true state; None where no truth is known.
        num_unchanging: Vectors that cannot tell WHEN.
    """
    matches = {
        kind: find_matches(pair.audio_NTD, pair.visual_NTD, aggregation=aggregation)
        for kind, pair in pairs.items()
    }
    return Measures(
        matches=matches,
        moments=None if moment is None else _answers(moment, hits_NTT),
        num_unchanging=num_unchanging,
    )


def _answers(pair: Pair, hits_NTT: Tensor | None) -> MomentAnswers:
    choices: dict[Direction, Tensor] = {
        "audio_to_visual": moment_choices(pair.audio_NTD, pair.visual_NTD),
        "visual_to_audio": moment_choices(pair.visual_NTD, pair.audio_NTD),
    }
    return MomentAnswers(
        choices={name: choices_NTT.cpu() for name, choices_NTT in choices.items()}, hits_NTT=hits_NTT
    )
