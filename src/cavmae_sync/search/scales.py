"""Scales of axes and calibrations for each kind of query, from stretches of the library itself.

They are made at the first query of a kind, kept with the library, and made anew when it has grown by a tenth.

    derived/search/scales.json

C contents, P placements.
"""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from cavmae_sync.atomic import write_text
from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.errors import DatasetError
from cavmae_sync.search.axes import SENSES_OF, Scale, axis_scores
from cavmae_sync.search.calibration import LEAST_CLIPS, NUM_STRETCHES, Axis, By, Calibration, draw_stretches
from cavmae_sync.search.contents import Filter, HeldContents
from cavmae_sync.search.derive import OnProgress
from cavmae_sync.search.placements import Placements
from cavmae_sync.search.query import Query
from cavmae_sync.search.scoring import Scorer
from cavmae_sync.untrusted import read_object

#: Lengths that are calibrated, in moments; a query takes the longest one that is not longer.
_LENGTHS: Final = (1, 2, 4, 8, 16)
#: Random placements of each stretch, for the scale of an axis.
_PLACEMENTS_EACH: Final = 8
#: Growth or shrinking of a library after which its scales are made anew.
_OUT_OF_DATE: Final = 0.1
_FILE: Final = "scales.json"
_REMEDY: Final = "It is made again."


_Positive = Annotated[FiniteFloat, Field(gt=0)]


class _Kept(BaseModel):
    """Scale as it is kept, and the size of the library when it was made."""

    axes: dict[Sense, tuple[FiniteFloat, _Positive]]
    calibration: tuple[FiniteFloat, _Positive] | None
    num_places: int = Field(ge=0)
    num_held: int = Field(ge=0)

    def to_scale(self) -> Scale:
        calibration = None
        if self.calibration is not None:
            calibration = Calibration(location=self.calibration[0], width=self.calibration[1])
        axes = {sense: Axis(mean=mean, deviation=width) for sense, (mean, width) in self.axes.items()}
        return Scale(axes=axes, calibration=calibration)


class Scales:
    """Scales of a library, by kind of query.

    Args:
        scorer: Scores of queries.
        held: Contents that files hold.
        clip_places: Places of a clip: what is as near to a stretch is no stranger.
    """

    def __init__(self, scorer: Scorer, held: HeldContents, *, clip_places: int) -> None:
        self._scorer, self._held, self._clip_places = scorer, held, clip_places
        self._path = scorer.timelines.folder / _FILE
        self._known = self._read()

    def follow(self, held: HeldContents) -> None:
        """Use what the library holds now."""
        self._held = held

    def get(self, senses: tuple[Sense, ...], by: By, num_rows: int, on_progress: OnProgress | None) -> Scale:
        """Scale for queries of some senses and length, made at the first one.

        Args:
            senses: Senses of the query.
            by: What hits are ordered by.
            num_rows: Moments of the query.
            on_progress: Called after each stretch.
        """
        length = max(each for each in _LENGTHS if each <= num_rows)
        senses = self._askable(senses)
        key = f"{'+'.join(senses)} by {by}, {length}"
        kept = self._known.get(key)
        if kept is None or set(kept.axes) != set(SENSES_OF[by]) or not self._is_up_to_date(kept):
            scale = self._made(senses, by, length, on_progress)
            self._known[key] = kept = _Kept(
                axes={sense: (axis.mean, axis.deviation) for sense, axis in scale.axes.items()},
                calibration=None
                if scale.calibration is None
                else (scale.calibration.location, scale.calibration.width),
                num_places=self._scorer.timelines.num_places,
                num_held=len(self._held),
            )
            self._write()
        return kept.to_scale()

    def of_foreign(self, query: Query, by: By) -> Scale:
        """Scale for one query whose rows are not like those of the library: without a calibration."""
        if query.weights is not None:
            weights = {sense: query.weights.get(sense, 1.0) for sense in SENSES_OF[by]}
            axes = {sense: Axis(deviation=1 / weight, is_linear=True) for sense, weight in weights.items()}
            return Scale(axes=axes, is_sum=True)
        timelines = self._scorer.timelines
        allowed_C = self._held.allowed(timelines.contents, Filter())
        numbers = np.flatnonzero(allowed_C & (timelines.count_C > 0))
        if len(numbers) == 0:
            return Scale(axes={sense: Axis() for sense in SENSES_OF[by]})
        placements = self._random(
            numbers, len(query), NUM_STRETCHES * _PLACEMENTS_EACH, np.random.default_rng(0)
        )
        scores = axis_scores(timelines, query, placements, SENSES_OF[by])
        return Scale(
            axes={sense: Axis.of(each[np.isfinite(each)].tolist()) for sense, each in scores.items()}
        )

    def _askable(self, senses: tuple[Sense, ...]) -> tuple[Sense, ...]:
        """Senses of a query that stretches of the library can have together, in their own order."""
        contents = self._scorer.timelines.contents
        num = {sense: int(self._held.having(contents, [sense]).sum()) for sense in SENSES if sense in senses}
        able = tuple(sense for sense, count in num.items() if count)
        if not able or self._held.having(contents, able).any():
            return able or tuple(num)
        return (max(able, key=lambda sense: num[sense]),)

    def _is_up_to_date(self, kept: _Kept) -> bool:
        now = ((kept.num_places, self._scorer.timelines.num_places), (kept.num_held, len(self._held)))
        return all(abs(after - before) <= _OUT_OF_DATE * before for before, after in now)

    def _read(self) -> dict[str, _Kept]:
        if not self._path.is_file():
            return {}
        with suppress(DatasetError, ValidationError, OSError):
            found = read_object(self._path, remedy=_REMEDY)
            return {key: _Kept.model_validate(value) for key, value in found.items()}
        return {}

    def _write(self) -> None:
        kept = {key: value.model_dump(mode="json") for key, value in sorted(self._known.items())}
        with suppress(OSError):  # on a disk that cannot be written to they are made at each start
            write_text(self._path, json.dumps(kept, indent=1) + "\n")

    def _made(self, senses: tuple[Sense, ...], by: By, length: int, on_progress: OnProgress | None) -> Scale:
        timelines, held = self._scorer.timelines, self._held
        allowed_C = held.allowed(timelines.contents, Filter())
        askable_C = np.where(held.having(timelines.contents, senses), timelines.count_C, 0)
        length = min(length, max(int(askable_C.max(initial=0)), 1))
        strangers = [
            (number, place, query)
            for number, place in draw_stretches(askable_C, length=length, num=NUM_STRETCHES)
            if (query := self._stretch(number, place, length, senses)) is not None
        ]
        scale = Scale(axes=self._axes(strangers, by, allowed_C))
        if askable_C.sum() < LEAST_CLIPS * self._clip_places:
            return scale
        best: list[float] = []
        for done, (number, place, query) in enumerate(strangers, start=1):
            others_C = allowed_C.copy()
            others_C[number] = len(held) < LEAST_CLIPS
            scored = self._scorer.scored(query, by, scale, others_C)
            is_near = self._is_near(scored.placements, number, place, length)
            totals = scored.total_KP[:, ~is_near]
            best.append(float(totals[np.isfinite(totals)].max(initial=-np.inf)))
            if on_progress is not None:
                on_progress(done, len(strangers))
        return replace(scale, calibration=Calibration.of(np.array(best)))

    def _is_near(self, placements: Placements, number: int, place: int, length: int) -> NDArray[np.bool_]:
        """Whether placements lie within a clip of a stretch: what is next to it is no stranger."""
        apart_P = np.abs(placements.offset_P - place)
        return (placements.content_P == number) & (apart_P < length + self._clip_places)

    def _stretch(self, number: int, place: int, length: int, senses: tuple[Sense, ...]) -> Query | None:
        found = self._scorer.rows(number, place, length)
        if not set(senses) <= set(found):
            return None
        step = self._scorer.timelines.step_seconds
        return Query(
            rows={sense: found[sense] for sense in senses},
            step_seconds=step,
            first_seconds=0.0,
            duration_seconds=length * step,
            about="a stretch of the library",
        )

    def _axes(
        self, strangers: list[tuple[int, int, Query]], by: By, allowed_C: NDArray[np.bool_]
    ) -> dict[Sense, Axis]:
        """Scale of each axis, from random placements elsewhere."""
        timelines, generator = self._scorer.timelines, np.random.default_rng(0)
        found: dict[Sense, list[float]] = {sense: [] for sense in SENSES_OF[by]}
        numbers = np.flatnonzero(allowed_C & (timelines.count_C > 0))
        for number, place, query in strangers:
            placements = self._random(numbers, len(query), _PLACEMENTS_EACH, generator)
            placements = placements.take(~self._is_near(placements, number, place, len(query)))
            for sense, scores in axis_scores(timelines, query, placements, SENSES_OF[by]).items():
                found[sense] += scores[np.isfinite(scores)].tolist()
        return {sense: Axis.of(scores) for sense, scores in found.items()}

    def _random(
        self, numbers: NDArray[np.int64], length: int, count: int, generator: np.random.Generator
    ) -> Placements:
        """Random placements of a query of some length in some contents."""
        content_P = generator.choice(numbers, count)
        count_P = self._scorer.timelines.count_C[content_P]
        offset_P = np.minimum(0, count_P - length) + generator.integers(0, np.abs(count_P - length) + 1)
        return Placements(content_P=content_P, offset_P=offset_P)
