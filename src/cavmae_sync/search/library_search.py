"""Search over a library: a query in, moments out, with how sure it is.

    Query --all_placements or likely_placements--> Placements --scores--> Found

Small libraries are looked at in full. In larger ones a coarse index proposes places; their scores are exact.

C contents, P placements, N moments of a query.
"""

import time
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library import Library
from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.errors import ConfigError
from cavmae_sync.search.axes import SENSES_OF, Scale, asked, axis_scores
from cavmae_sync.search.calibration import (
    LEAST_CLIPS,
    NUM_STRETCHES,
    Axis,
    By,
    Calibration,
    draw_stretches,
)
from cavmae_sync.search.coarse import CoarseIndex, CoarseName, choose_coarse, make_coarse
from cavmae_sync.search.contents import Filter, HeldContents
from cavmae_sync.search.derive import OnProgress, derive_timelines
from cavmae_sync.search.hits import Found, Hit
from cavmae_sync.search.options import Moment, SearchOptions
from cavmae_sync.search.placements import Placements, all_placements, joined, likely_placements, separate
from cavmae_sync.search.query import Query
from cavmae_sync.search.windows import SHORT_QUERY, places_as_windows, windows_of

#: Placements times moments of a query up to which every placement is scored.
_SCAN_UP_TO: Final = 1 << 20
#: Lengths that are calibrated, in moments; a query takes the longest one that is not longer.
_LENGTHS: Final = (1, 2, 4, 8, 16)
#: Senses and length of the usual questions.
_USUAL: Final[tuple[tuple[tuple[Sense, ...], int], ...]] = ((("audio",), 4), (("visual",), 1), (SENSES, 4))
#: Random placements of each stretch, for the scale of an axis.
_PLACEMENTS_EACH: Final = 8


class LibrarySearch:
    """A library, ready to be searched. What is added meanwhile is found after `refresh`.

    Args:
        library: The library.
        coarse: Engine of the coarse index; None chooses by size.
        on_progress: Called while contents that are new since the last time are read.

    Raises:
        DatasetError: A file of the library is damaged.
    """

    def __init__(
        self, library: Library, *, coarse: CoarseName | None = None, on_progress: OnProgress | None = None
    ) -> None:
        self.library = library
        self._coarse = coarse
        self._indexes: dict[tuple[Sense, bool], tuple[CoarseIndex, NDArray[np.int64], NDArray[np.int64]]] = {}
        self._scales: dict[tuple[tuple[Sense, ...], By, int], Scale] = {}
        with library.catalogue() as catalogue:
            self.held = HeldContents(catalogue)
        self.timelines = derive_timelines(library, self.held, on_progress)

    def refresh(self, *, on_progress: OnProgress | None = None) -> bool:
        """Take in what was added or removed since. Returns whether anything was."""
        with self.library.catalogue() as catalogue:
            if catalogue.generation == self.held.generation:
                return False
            self.held = HeldContents(catalogue)
        self.timelines.close()
        self.timelines = derive_timelines(self.library, self.held, on_progress)
        self._indexes.clear()
        self._scales.clear()
        return True

    def warm_up(self, *, on_progress: OnProgress | None = None) -> None:
        """Calibrate for questions by sound, picture and video of the usual lengths."""
        allowed_C = self.held.allowed(self.timelines.contents, Filter())
        for senses, length in _USUAL:
            self._scale(senses, self._by(None, senses, allowed_C), length, on_progress)

    def search(
        self, query: Query, options: SearchOptions | None = None, *, on_progress: OnProgress | None = None
    ) -> Found:
        """Moments that fit a query, best first.

        Args:
            query: What to look for.
            options: How.
            on_progress: Called while the library is calibrated, once for each kind of query.

        Raises:
            ConfigError: The query was cut at other steps, or hits cannot be ordered as asked.
        """
        options = options or SearchOptions()
        self._check_steps(query)
        allowed_C = self.held.allowed(self.timelines.contents, options.filter)
        by = self._by(options.by, query.senses, allowed_C)
        scale = self._scale(query.senses, by, len(query), on_progress)
        began = time.perf_counter()
        hits, is_exact = self._ranked(query, by, scale, allowed_C, options)
        judged = [hit.probability for hit in hits if hit.probability is not None]
        seconds_C = self.timelines.stop_seconds_C - self.timelines.start_seconds_C
        return Found(
            hits=hits,
            matches=None if scale.calibration is None else sum(each >= options.cutoff for each in judged),
            cutoff=options.cutoff,
            is_exact=is_exact,
            num_contents=int(allowed_C.sum()),
            num_damaged=sum(content not in self.timelines.number for content in self.held),
            searched_seconds=float(seconds_C[allowed_C].sum()),
            about=query.about,
            by=by,
            seconds=time.perf_counter() - began,
        )

    def _ranked(
        self, query: Query, by: By, scale: Scale, allowed_C: NDArray[np.bool_], options: SearchOptions
    ) -> tuple[tuple[Hit, ...], bool]:
        """The best hits of all phases of a query, and whether every placement was scored."""
        phases = (query, *query.later)
        scored = [self._scored(each, by, scale, allowed_C, is_exact=options.is_exact) for each in phases]
        phase_P = np.repeat(np.arange(len(phases)), [len(placements) for placements, _, _ in scored])
        placements = Placements(
            content_P=np.concatenate([each.content_P for each, _, _ in scored]),
            offset_P=np.concatenate([each.offset_P for each, _, _ in scored]),
        )
        total_P = np.concatenate([total for _, total, _ in scored])
        if options.without is not None:
            total_P = self._without(options.without, placements, total_P, length=len(query))
        chosen = separate(self.timelines, placements, total_P, length=len(query), most=options.num_hits)
        hits: list[Hit] = []
        for phase, each in enumerate(phases):
            of = chosen[phase_P[chosen] == phase]
            hits += self._hits(each, by, scale, placements.take(of), total_P[of])
        if (strangers := scale.calibration) is not None:
            hits = [
                replace(hit, probability=strangers.probability(hit.score, num_tries=len(phases)))
                for hit in hits
            ]
        ranked = tuple(sorted(hits, key=lambda hit: -hit.score))
        return ranked, all(is_exact for _, _, is_exact in scored)

    def _without(
        self, moment: Moment, placements: Placements, total_P: NDArray[np.float32], *, length: int
    ) -> NDArray[np.float32]:
        """The scores, with those of placements that overlap a moment of the library taken away."""
        number = self.timelines.number.get(moment.content, -1)
        first = float(self.timelines.start_seconds_C[number])
        step = self.timelines.step_seconds
        low, high = (moment.start_seconds - first) / step, (moment.stop_seconds - first) / step
        is_own = placements.content_P == number
        is_own &= (placements.offset_P < high) & (placements.offset_P + length > low)
        return np.where(is_own, -np.inf, total_P).astype(np.float32)

    def moment(self, moment: Moment) -> Query:
        """Query by a moment of the library itself; its vectors are there already.

        Raises:
            ConfigError: The library has no such content, or nothing there.
        """
        timelines, content = self.timelines, moment.content
        number = timelines.number.get(content)
        if number is None or content not in self.held.rows:
            raise ConfigError(f"The library has no content {content!r:.80}.")
        step, first = timelines.step_seconds, float(timelines.start_seconds_C[number])
        count = int(timelines.count_C[number])
        low = int(np.clip(np.ceil((moment.start_seconds - first) / step - 1e-6), 0, max(count - 1, 0)))
        stop = min((moment.stop_seconds - first) / step, float(count))
        high = int(np.clip(np.ceil(stop - 1e-6), low + 1, max(count, low + 1)))
        rows = self._rows(number, low, high - low)
        if not rows:
            raise ConfigError(f"The content {content:.12} has nothing from {moment.start_seconds:g} s on.")
        return Query(
            rows=rows,
            step_seconds=step,
            first_seconds=0.0,
            duration_seconds=(high - low) * step,
            about=f"{self.held.places(content)[0].path} from {first + low * step:.1f} s",
        )

    def _rows(self, number: int, place: int, length: int) -> dict[Sense, NDArray[np.float32]]:
        """Rows of a content, of each sense that is there."""
        at = np.array([int(self.timelines.first_C[number]) + place])
        found = {sense: self.timelines.spans(sense, at, length)[0].astype(np.float32) for sense in SENSES}
        return {sense: rows for sense, rows in found.items() if (rows != 0).any()}

    def _check_steps(self, query: Query) -> None:
        wanted = self.library.config.step_seconds
        if abs(query.step_seconds - wanted) > 1e-9:
            raise ConfigError(
                f"The query has a moment every {query.step_seconds:g} s, the library every {wanted:g} s. "
                "Make it with the library's configuration."
            )

    def _by(self, wanted: By | None, senses: tuple[Sense, ...], allowed_C: NDArray[np.bool_]) -> By:
        """What hits are ordered by: by what the query has and the library has too, unless asked otherwise."""
        has = [
            sense
            for sense in SENSES
            if (self.held.having(self.timelines.contents, [sense]) & allowed_C).any()
        ]
        if wanted is None:
            shared = [sense for sense in senses if sense in has] or has or list(senses)
            return "both" if len(shared) == 2 else "sound" if shared == ["audio"] else "picture"
        if allowed_C.any() and not set(has) & set(SENSES_OF[wanted]):
            raise ConfigError(f"Nothing that may be found has a {wanted}, so hits cannot be ordered by it.")
        return wanted

    def _index(
        self, sense: Sense, *, is_short: bool
    ) -> tuple[CoarseIndex, NDArray[np.int64], NDArray[np.int64]]:
        """Coarse index of a sense, the place that each window begins at, and the number of its content."""
        key = (sense, is_short)
        if key not in self._indexes:
            timelines, rows_GD = self.timelines, self.timelines.mapped(sense)
            windows = (
                places_as_windows(rows_GD)
                if is_short
                else windows_of(rows_GD, first_C=timelines.first_C, count_C=timelines.count_C)
            )
            name = self._coarse or choose_coarse(len(windows.place_W), width=timelines.width)
            content_W = timelines.content_of(windows.place_W)
            self._indexes[key] = make_coarse(windows.rows_WD, name), windows.place_W, content_W
        return self._indexes[key]

    def _scored(
        self,
        query: Query,
        by: By,
        scale: Scale,
        allowed_C: NDArray[np.bool_],
        *,
        is_exact: bool = False,
    ) -> tuple[Placements, NDArray[np.float32], bool]:
        """Placements of a query, what they are ordered by, and whether they are all there are."""
        counts = self.timelines.count_C[allowed_C]
        num_placements = int((np.abs(counts - len(query)) + 1).sum())
        if is_exact or num_placements * len(query) <= _SCAN_UP_TO:
            placements = all_placements(self.timelines, len(query), allowed_C=allowed_C)
            scores = axis_scores(self.timelines, query, placements, SENSES_OF[by], is_scanned=True)
            return placements, scale.combined(scores), True
        found: list[Placements] = []
        for sense in SENSES_OF[by]:
            index, place_W, content_W = self._index(sense, is_short=len(query) <= SHORT_QUERY)
            allowed_W = None if allowed_C.all() else allowed_C[content_W]
            found.append(
                likely_placements(self.timelines, index, place_W, asked(query, sense), allowed_W=allowed_W)
            )
        placements = joined(found)
        scores = axis_scores(self.timelines, query, placements, SENSES_OF[by])
        return placements, scale.combined(scores), False

    def _hits(
        self, query: Query, by: By, scale: Scale, placements: Placements, total_P: NDArray[np.float32]
    ) -> tuple[Hit, ...]:
        """Hits at some placements, without their probability."""
        scores = axis_scores(self.timelines, query, placements)
        shift_P = self._refined(query, by, scale, placements, total_P)
        return tuple(
            self._hit(query, placements, number, float(shift_P[number]), float(total_P[number]), scores)
            for number in range(len(placements))
        )

    def _refined(
        self, query: Query, by: By, scale: Scale, placements: Placements, total_P: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """How far from its place the best fit lies, in steps: the top of a parabola through neighbours."""

        def beside(step: int) -> NDArray[np.float32]:
            moved = replace(placements, offset_P=placements.offset_P + step)
            return scale.combined(axis_scores(self.timelines, query, moved, SENSES_OF[by]))

        before_P, after_P = beside(-1), beside(1)
        bend_P = before_P - 2 * total_P + after_P
        is_top = np.isfinite(bend_P) & (bend_P < 0) & (total_P >= before_P) & (total_P >= after_P)
        return np.where(is_top, (before_P - after_P) / np.where(is_top, 2 * bend_P, 1), 0.0)

    def _hit(
        self,
        query: Query,
        placements: Placements,
        number: int,
        shift: float,
        total: float,
        scores: dict[Sense, NDArray[np.float32]],
    ) -> Hit:
        timelines = self.timelines
        content = int(placements.content_P[number])
        place = float(placements.offset_P[number]) + shift
        offset = timelines.seconds_of(content, place) - query.first_seconds
        # A picture has no length: its moment is the step around it.
        around = timelines.step_seconds / 2 if query.duration_seconds == 0 else 0.0
        stop = float(timelines.stop_seconds_C[content])
        name = timelines.contents[content]
        cosines = {sense: float(scores[sense][number]) for sense in SENSES}
        return Hit(
            content=name,
            places=self.held.places(name),
            start_seconds=min(max(offset - around, 0.0), stop),
            stop_seconds=min(max(offset + query.duration_seconds + around, 0.0), stop),
            offset_seconds=offset,
            score=total,
            sound=cosines["audio"] if np.isfinite(cosines["audio"]) else None,
            picture=cosines["visual"] if np.isfinite(cosines["visual"]) else None,
            probability=None,
        )

    def _scale(
        self, senses: tuple[Sense, ...], by: By, num_rows: int, on_progress: OnProgress | None
    ) -> Scale:
        """Scale and calibration for queries of some senses and length, made at the first one."""
        key = (senses, by, max(each for each in _LENGTHS if each <= num_rows))
        if key not in self._scales:
            self._scales[key] = self._calibrated(*key, on_progress)
        return self._scales[key]

    def _calibrated(
        self, senses: tuple[Sense, ...], by: By, length: int, on_progress: OnProgress | None
    ) -> Scale:
        timelines = self.timelines
        allowed_C = self.held.allowed(timelines.contents, Filter())
        askable_C = np.where(self.held.having(timelines.contents, senses), timelines.count_C, 0)
        length = min(length, max(int(askable_C.max(initial=0)), 1))
        strangers = [
            (number, place, query)
            for number, place in draw_stretches(askable_C, length=length, num=NUM_STRETCHES)
            if (query := self._stretch(number, place, length, senses)) is not None
        ]
        scale = Scale(axes=self._axes(strangers, by, allowed_C))
        if askable_C.sum() < LEAST_CLIPS * self.library.config.num_frames:
            return scale
        best: list[float] = []
        for done, (number, place, query) in enumerate(strangers, start=1):
            others_C = allowed_C.copy()
            others_C[number] = len(self.held) < LEAST_CLIPS
            placements, total_P, _ = self._scored(query, by, scale, others_C)
            is_strange = np.isfinite(total_P) & ~self._is_near(placements, number, place, length)
            best.append(float(total_P[is_strange].max(initial=-np.inf)))
            if on_progress is not None:
                on_progress(done, len(strangers))
        return replace(scale, calibration=Calibration.of(np.array(best)))

    def _is_near(self, placements: Placements, number: int, place: int, length: int) -> NDArray[np.bool_]:
        """Whether placements lie within a clip of a stretch: what is next to it is no stranger."""
        apart_P = np.abs(placements.offset_P - place)
        return (placements.content_P == number) & (apart_P < length + self.library.config.num_frames)

    def _stretch(self, number: int, place: int, length: int, senses: tuple[Sense, ...]) -> Query | None:
        rows = {sense: rows for sense, rows in self._rows(number, place, length).items() if sense in senses}
        if set(rows) != set(senses):
            return None
        return Query(
            rows=rows,
            step_seconds=self.timelines.step_seconds,
            first_seconds=0.0,
            duration_seconds=length * self.timelines.step_seconds,
            about="a stretch of the library",
        )

    def _axes(
        self, strangers: list[tuple[int, int, Query]], by: By, allowed_C: NDArray[np.bool_]
    ) -> dict[Sense, Axis]:
        """Scale of each axis, from random placements elsewhere."""
        generator = np.random.default_rng(0)
        found: dict[Sense, list[float]] = {sense: [] for sense in SENSES_OF[by]}
        numbers = np.flatnonzero(allowed_C & (self.timelines.count_C > 0))
        for number, place, query in strangers:
            content_P = generator.choice(numbers, _PLACEMENTS_EACH)
            room_P = np.abs(self.timelines.count_C[content_P] - len(query)) + 1
            low_P = np.minimum(0, self.timelines.count_C[content_P] - len(query))
            placements = Placements(content_P=content_P, offset_P=low_P + generator.integers(0, room_P))
            placements = placements.take(~self._is_near(placements, number, place, len(query)))
            for sense, scores in axis_scores(self.timelines, query, placements, SENSES_OF[by]).items():
                found[sense] += scores[np.isfinite(scores)].tolist()
        return {sense: Axis.of(scores) for sense, scores in found.items()}
