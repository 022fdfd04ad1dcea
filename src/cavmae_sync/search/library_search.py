"""Search over a library: a query in, moments out, with how sure it is.

    Query --Scorer--> placements with scores --separate--> hits --Scale--> Found

Small libraries are looked at in full. In larger ones a coarse index proposes places; their scores are exact.

C contents, P placements, K phases of a query, N moments of one.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.embedding.library import Library
from cavmae_sync.embedding.library.schema import SENSES, Sense
from cavmae_sync.errors import ConfigError
from cavmae_sync.search.axes import SENSES_OF, Scale, axis_scores
from cavmae_sync.search.calibration import By
from cavmae_sync.search.coarse import CoarseName
from cavmae_sync.search.contents import Filter, HeldContents
from cavmae_sync.search.derive import OnProgress, derive_timelines
from cavmae_sync.search.hits import Found, Hit
from cavmae_sync.search.indexes import CoarseIndexes
from cavmae_sync.search.options import Moment, SearchOptions
from cavmae_sync.search.placements import Placements, placed, separate
from cavmae_sync.search.query import Query
from cavmae_sync.search.scales import Scales
from cavmae_sync.search.scoring import Scored, Scorer
from cavmae_sync.search.strips import Similarity, Strip, similarity_at, strip_of

#: Senses and length of the usual questions.
_USUAL: Final[tuple[tuple[tuple[Sense, ...], int], ...]] = (
    (("visual",), 1),
    *(((*senses,), length) for senses in (("audio",), SENSES) for length in (4, 16)),
)


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
        with library.catalogue() as catalogue:
            self.held = HeldContents(catalogue)
        self.timelines = derive_timelines(library, self.held, on_progress)
        self._num_damaged = self._count_damaged()
        self._scorer = Scorer(self.timelines, CoarseIndexes(self.timelines, coarse))
        self._scales = Scales(self._scorer, self.held, clip_places=library.config.num_frames)

    def refresh(self, *, on_progress: OnProgress | None = None) -> bool:
        """Take in what was added or removed since. Returns whether anything was."""
        with self.library.catalogue() as catalogue:
            if catalogue.generation == self.held.generation:
                return False
            held = HeldContents(catalogue)
        timelines = derive_timelines(self.library, held, on_progress)
        timelines.follow(self.timelines)
        self.timelines.close()
        self.timelines, self.held = timelines, held
        self._num_damaged = self._count_damaged()
        self._scorer.follow(self.timelines)
        self._scales.follow(self.held)
        return True

    def warm_up(self, *, on_progress: OnProgress | None = None) -> None:
        """Make indexes and calibrate for questions by sound, picture and video of the usual lengths."""
        allowed_C = self.held.allowed(self.timelines.contents, Filter())
        self._scorer.warm_up()
        for senses, length in _USUAL:
            self._scales.get(senses, self._by(None, senses, allowed_C), length, on_progress)

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
        allowed_C, by, scale = self._prepared(query, options, on_progress)
        began = time.perf_counter()
        scored = self._scorer.scored(query, by, scale, allowed_C, is_exact=options.is_exact)
        return self._found(query, options, allowed_C, by, scale, scored, began=began)

    def rank(
        self,
        query: Query,
        candidates: Sequence[tuple[str, float]],
        options: SearchOptions | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> Found:
        """The best of some candidates that another engine proposed, by exact scores a step around each.

        Args:
            query: What to look for.
            candidates: Content, and time in it at which the query begins. Contents that are not in the
                library any more, or that the options filter out, are left out.
            options: How.
            on_progress: Called while the library is calibrated, once for each kind of query.

        Raises:
            ConfigError: As `search`.
        """
        options = options or SearchOptions()
        allowed_C, by, scale = self._prepared(query, options, on_progress)
        began = time.perf_counter()
        known = [(self.timelines.number.get(content, -1), seconds) for content, seconds in candidates]
        known = [(number, seconds) for number, seconds in known if number >= 0 and allowed_C[number]]
        content_P = np.array([number for number, _ in known], np.int64)
        seconds_P = np.array([seconds for _, seconds in known], np.float64) + query.first_seconds
        places_P = (seconds_P - self.timelines.start_seconds_C[content_P]) / self.timelines.step_seconds
        lengths = [len(each) for each in query.phases]
        offset_P = np.rint(places_P).astype(np.int64)
        placements = placed(self.timelines, content_P, offset_P, lengths=lengths, near=1)
        scored = self._scorer.at(query, by, scale, placements)
        return self._found(query, options, allowed_C, by, scale, scored, began=began)

    def strip(self, query: Query, content: str, options: SearchOptions | None = None) -> Strip:
        """How well a query fits along a whole file.

        Raises:
            ConfigError: The library has no such content, or hits cannot be ordered as asked.
        """
        _, by, scale = self._prepared(query, options or SearchOptions(), None)
        return strip_of(self._scorer, query, by, scale, self._number(content))

    def similarity(self, query: Query, content: str, start_seconds: float) -> Similarity:
        """Cosines of the moments of a query with those of a file around a hit.

        Args:
            query: The query.
            content: The file.
            start_seconds: Time in it at which the query begins (`Hit.offset_seconds`).

        Raises:
            ConfigError: The library has no such content.
        """
        number, senses = self._number(content), self._comparable(query.senses)
        return similarity_at(self._scorer, query, number, start_seconds, comparable=senses)

    def moment(self, moment: Moment) -> Query:
        """Query by a moment of the library itself; its vectors are there already.

        Raises:
            ConfigError: The library has no such content, or nothing there.
        """
        timelines, content = self.timelines, moment.content
        number = self._number(content)
        step, first = timelines.step_seconds, float(timelines.start_seconds_C[number])
        count = int(timelines.count_C[number])
        if count == 0 or moment.start_seconds >= float(timelines.stop_seconds_C[number]):
            raise ConfigError(f"The content {content:.12} has no moments from {moment.start_seconds:g} s on.")
        low = int(np.clip(np.ceil((moment.start_seconds - first) / step - 1e-6), 0, max(count - 1, 0)))
        stop = min((moment.stop_seconds - first) / step, float(count))
        high = int(np.clip(np.ceil(stop - 1e-6), low + 1, max(count, low + 1)))
        rows = self._scorer.rows(number, low, high - low)
        if not rows:
            raise ConfigError(f"The content {content:.12} has nothing from {moment.start_seconds:g} s on.")
        # The query begins where the moment does, and not at the middle of its first window.
        begin = min(max(moment.start_seconds, 0.0), first + low * step)
        end = max(min(moment.stop_seconds, float(timelines.stop_seconds_C[number])), begin + step)
        return Query(
            rows=rows,
            step_seconds=step,
            first_seconds=first + low * step - begin,
            duration_seconds=end - begin,
            about=f"{self.held.places(content)[0].path} from {begin:.1f} s",
        )

    def _number(self, content: str) -> int:
        number = self.timelines.number.get(content)
        if number is None or content not in self.held:
            raise ConfigError(f"The library has no content {content!r:.80}.")
        return number

    def _count_damaged(self) -> int:
        return sum(content not in self.timelines.number for content in self.held)

    def _prepared(
        self, query: Query, options: SearchOptions, on_progress: OnProgress | None
    ) -> tuple[NDArray[np.bool_], By, Scale]:
        wanted = self.library.config.step_seconds
        if abs(query.step_seconds - wanted) > 1e-9:
            raise ConfigError(
                f"The query has a moment every {query.step_seconds:g} s, the library every {wanted:g} s. "
                "Make it with the library's configuration."
            )
        allowed_C = self.held.allowed(self.timelines.contents, options.filter)
        by = self._by(options.by, query.senses, allowed_C)
        scale = (
            self._scales.get(query.senses, by, len(query), on_progress)
            if query.is_native
            else self._scales.of_foreign(query, by)
        )
        return allowed_C, by, scale

    def _comparable(self, senses: tuple[Sense, ...]) -> tuple[Sense, ...]:
        """Senses of the library that a query with some senses compares with."""
        return SENSES if self.library.record.has_one_space else senses

    def _by(self, wanted: By | None, senses: tuple[Sense, ...], allowed_C: NDArray[np.bool_]) -> By:
        """What hits are ordered by: by what the query has and the library has too, unless asked otherwise."""
        has = [
            sense
            for sense in self._comparable(senses)
            if (self.held.having(self.timelines.contents, [sense]) & allowed_C).any()
        ]
        if wanted is None:
            shared = [sense for sense in senses if sense in has] or has or list(senses)
            return "both" if len(shared) == 2 else "sound" if shared == ["audio"] else "picture"
        able = [sense for sense in SENSES_OF[wanted] if sense in self._comparable(senses)]
        if not able or (allowed_C.any() and not set(has) & set(able)):
            raise ConfigError(
                f"Nothing that may be found has a {wanted} to compare with, so hits cannot be ordered by it."
            )
        return wanted if len(able) == len(SENSES_OF[wanted]) else "sound" if able == ["audio"] else "picture"

    def _found(
        self,
        query: Query,
        options: SearchOptions,
        allowed_C: NDArray[np.bool_],
        by: By,
        scale: Scale,
        scored: Scored,
        *,
        began: float,
    ) -> Found:
        total_KP = scored.total_KP
        if options.without is not None:
            total_KP = self._without(options.without, scored.placements, total_KP, length=len(query))
        phase_P, total_P = total_KP.argmax(axis=0), total_KP.max(axis=0)
        chosen = separate(
            self.timelines, scored.placements, total_P, length=len(query), most=options.num_hits
        )
        hits = self._hits(query, by, scale, scored.placements.take(chosen), phase_P[chosen], total_P[chosen])
        judged = [hit.probability for hit in hits if hit.probability is not None]
        seconds_C = self.timelines.stop_seconds_C - self.timelines.start_seconds_C
        return Found(
            hits=hits,
            matches=None if scale.calibration is None else sum(each >= options.cutoff for each in judged),
            cutoff=options.cutoff,
            is_exact=scored.is_exact,
            num_contents=int(allowed_C.sum()),
            num_damaged=self._num_damaged,
            searched_seconds=float(seconds_C[allowed_C].sum()),
            about=query.about,
            by=by,
            seconds=time.perf_counter() - began,
        )

    def _without(
        self, moment: Moment, placements: Placements, total_KP: NDArray[np.float32], *, length: int
    ) -> NDArray[np.float32]:
        """The scores, with those of placements that overlap a moment of the library taken away."""
        number = self.timelines.number.get(moment.content, -1)
        first = float(self.timelines.start_seconds_C[number])
        step = self.timelines.step_seconds
        low, high = (moment.start_seconds - first) / step, (moment.stop_seconds - first) / step
        is_own = placements.content_P == number
        is_own &= (placements.offset_P < high) & (placements.offset_P + length > low)
        return np.where(is_own, -np.inf, total_KP).astype(np.float32)

    def _hits(
        self,
        query: Query,
        by: By,
        scale: Scale,
        placements: Placements,
        phase_P: NDArray[np.int64],
        total_P: NDArray[np.float32],
    ) -> tuple[Hit, ...]:
        """Hits at some placements, each of one phase, in their order."""
        at = (phase_P, np.arange(len(placements)))
        scores = axis_scores(self.timelines, query, placements, self._comparable(query.senses))
        nothing = np.full_like(total_P, -np.inf)
        cosines = {sense: scores[sense][at] if sense in scores else nothing for sense in SENSES}
        shift_P = self._refined(query, by, scale, placements, at, total_P)
        phases, strangers = query.phases, scale.calibration
        return tuple(
            self._hit(
                phases[phase_P[number]],
                int(placements.content_P[number]),
                float(placements.offset_P[number]) + float(shift_P[number]),
                {sense: float(found[number]) for sense, found in cosines.items()},
                score=float(total_P[number]),
                probability=None
                if strangers is None
                else strangers.probability(float(total_P[number]), num_tries=len(phases)),
            )
            for number in range(len(placements))
        )

    def _refined(
        self,
        query: Query,
        by: By,
        scale: Scale,
        placements: Placements,
        at: tuple[NDArray[np.int64], NDArray[np.int64]],
        total_P: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """How far from its place the best fit lies, in steps: the top of a parabola through neighbours."""

        def beside(step: int) -> NDArray[np.float32]:
            moved = replace(placements, offset_P=placements.offset_P + step)
            return self._scorer.at(query, by, scale, moved).total_KP[at]

        before_P, after_P = beside(-1), beside(1)
        is_between = np.isfinite(before_P) & np.isfinite(after_P)  # at the ends there is nothing to compare
        before_P, after_P = np.where(is_between, before_P, total_P), np.where(is_between, after_P, total_P)
        bend_P = before_P - 2 * total_P + after_P
        is_top = (bend_P < 0) & (total_P >= before_P) & (total_P >= after_P)
        return np.where(is_top, (before_P - after_P) / np.where(is_top, 2 * bend_P, 1), 0.0)

    def _hit(
        self,
        query: Query,
        number: int,
        place: float,
        cosines: dict[Sense, float],
        *,
        score: float,
        probability: float | None,
    ) -> Hit:
        timelines = self.timelines
        offset = timelines.seconds_of(number, place) - query.first_seconds
        # A picture has no length: its moment is the step around it.
        around = timelines.step_seconds / 2 if query.duration_seconds == 0 else 0.0
        stop = float(timelines.stop_seconds_C[number])
        name = timelines.contents[number]
        return Hit(
            content=name,
            places=self.held.places(name),
            start_seconds=min(max(offset - around, 0.0), stop),
            stop_seconds=min(max(offset + query.duration_seconds + around, 0.0), stop),
            offset_seconds=offset,
            score=score,
            sound=cosines["audio"] if np.isfinite(cosines["audio"]) else None,
            picture=cosines["visual"] if np.isfinite(cosines["visual"]) else None,
            probability=probability,
        )
