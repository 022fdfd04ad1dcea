"""What a library is taught under a name: marks in, a probe and moments out.

    LIBRARY/taught/NAME/taught.json         what it is; written first
    LIBRARY/taught/NAME/marks.jsonl         the marks, the user's own work
    LIBRARY/taught/NAME/probe.safetensors   the probe that follows from them, for `classify` and `search`

Only one thread may call an object at a time. Other processes may add marks meanwhile: each call looks again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.atomic import locked
from cavmae_sync.embedding.encoders import OWN
from cavmae_sync.embedding.library import Library
from cavmae_sync.errors import ConfigError
from cavmae_sync.search import LibrarySearch, Place
from cavmae_sync.tasks.classification.probe import PROBE_FILE, Probe
from cavmae_sync.teaching.estimate import Estimate, estimate_of, probability_of, threshold_for
from cavmae_sync.teaching.fitting import Directions, Fitted, directions_of, fit_rule
from cavmae_sync.teaching.kept_probe import probe_of
from cavmae_sync.teaching.marks import Mark, MarkFile, Reason
from cavmae_sync.teaching.moments import Moments
from cavmae_sync.teaching.names import (
    SENSES_OF,
    TAUGHT_FOLDER,
    TaughtSense,
    check_name,
    open_record,
    taught_names,
)
from cavmae_sync.teaching.population import Population
from cavmae_sync.teaching.proposals import CHECK_SHARE, Proposal, first_numbers, next_numbers
from cavmae_sync.teaching.state import Counts, TaughtState, missing_marks, status_of
from cavmae_sync.untrusted import check_subfolder


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedMoment:
    """Moment of the library with what the probe says of it.

    Attributes:
        content: SHA-256 of the file.
        places: Files that hold it, those that are there in front.
        start_seconds: Its start in the file.
        stop_seconds: Its end.
        probability: Probability of the class there.
        is_match: What a mark says; None where there is none.
    """

    content: str
    places: tuple[Place, ...]
    start_seconds: float
    stop_seconds: float
    probability: float
    is_match: bool | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Known:
    """Everything that follows from the marks and the library at one time.

    Attributes:
        marks: Marks that hold.
        counts: Their counts.
        yes_nD: Features of yes-marks that are learned from.
        fitted: The rule; None without a yes or without a no.
        population: Moments with the rule's logits; -inf for all without a rule.
    """

    marks: tuple[Mark, ...]
    counts: Counts
    yes_nD: NDArray[np.float64]
    fitted: Fitted | None
    population: Population


class Taught:
    """What a library is taught under a name.

    Args:
        library: The library.
        name: Name of the class.
        sense: What it hears or sees. None takes what it was begun with.
        moment_seconds: Length of a moment of a new one. None takes what it was begun with, or 2 s.
        search: A search over the library, whose timelines are used too; it is refreshed by each call.

    Raises:
        ConfigError: The name cannot be one, or there is none and no sense is given; or it was begun
            otherwise.
        DatasetError: A file is damaged.
    """

    def __init__(
        self,
        library: Library,
        name: str,
        *,
        sense: TaughtSense | None = None,
        moment_seconds: float | None = None,
        search: LibrarySearch | None = None,
    ) -> None:
        check_name(name)
        check_subfolder(library.folder, TAUGHT_FOLDER)
        check_subfolder(library.folder / TAUGHT_FOLDER, name)
        self.record = open_record(library.folder, name, sense=sense, moment_seconds=moment_seconds)
        self.library, self.name = library, name
        self.folder = library.folder / TAUGHT_FOLDER / name
        self._file = MarkFile(self.folder)
        self._search = LibrarySearch(library) if search is None else search
        self._moments: Moments | None = None
        self._directions: Directions | None = None
        self._draw_N = np.zeros(0)
        self._known: tuple[object, _Known] | None = None

    @property
    def sense(self) -> TaughtSense:
        """What it hears or sees."""
        return self.record.sense

    @property
    def probe_path(self) -> Path:
        """Where its probe is kept, once there are enough marks."""
        return self.folder / PROBE_FILE

    def marks(self) -> tuple[Mark, ...]:
        """Marks that hold, in the order in which they were made; checks too."""
        return self._file.read()

    def add(self, marks: Iterable[Mark]) -> None:
        """Add marks, all or none. A mark of a moment that is marked already takes its place.

        Raises:
            ConfigError: One of them cannot be a mark.
        """
        self._file.add(marks)

    def undo(self, ids: Sequence[str] | None = None) -> tuple[Mark, ...]:
        """Take marks back: those of some ids, or the last one. Returns them.

        Raises:
            ConfigError: There is no such mark.
        """
        return self._file.undo(ids)

    def learn_checks(self) -> int:
        """Learn from all checks too. The probe gets a little better; its precision must be checked anew.

        Returns:
            Number of checks.
        """
        ids = [mark.id for mark in self.marks() if mark.reason == "check"]
        self._file.learn(ids)
        return len(ids)

    def fit(self) -> TaughtState:
        """Fit the probe to the marks, keep it for `classify` and `search`, and say how good it is.

        With too few marks none is kept, and one that was kept before is removed.
        """
        known = self._now()
        is_kept = not self._missing(known) and known.fitted is not None
        with locked(self.folder / "probe.lock"):
            if is_kept:
                self.probe().save(self.probe_path)
            else:
                self.probe_path.unlink(missing_ok=True)
        return self.state()

    def probe(self) -> Probe:
        """The probe, as `classify` and `search` read it. It follows from the marks.

        Raises:
            ConfigError: There are too few marks.
        """
        known = self._now()
        missing = self._missing(known)
        if missing or known.fitted is None:
            raise ConfigError(f"{self.name!r} has too few marks for a probe. Mark {', '.join(missing)}.")
        return probe_of(known.fitted, self.library, name=self.name, sense=self.sense)

    def state(self) -> TaughtState:
        """Whether there are enough marks, how good the probe is, and what to do next."""
        known = self._now()
        missing = self._missing(known)
        estimate = None if missing or known.fitted is None else estimate_of(known.population)
        status, reason, advice = status_of(known.counts, estimate, missing=missing)
        is_own = self.library.record.encoder.kind == OWN
        return TaughtState(
            name=self.name,
            sense=self.sense,
            moment_seconds=self.record.moment_seconds,
            status=status,
            reason=reason,
            advice=advice,
            counts=known.counts,
            num_moments=int(self.moments().is_usable_N.sum()),
            estimate=estimate,
            probe=str(self.probe_path) if self.probe_path.is_file() else None,
            note=""
            if is_own
            else f"The probe reads vectors of {self.library.record.encoder.kind}, and so this library alone: "
            "classify makes vectors of models of this package.",
        )

    def estimate(self, *, threshold: float = 0.5) -> Estimate | None:
        """How good the probe is from a probability on; None where there are too few marks for a probe.

        Args:
            threshold: Probability from which on a moment counts as present, in (0, 1).
        """
        if not 0 < threshold < 1:
            raise ConfigError(f"The threshold {threshold:g} must be in (0, 1): it is a probability.")
        known = self._now()
        is_usable = known.fitted is not None and not self._missing(known)
        return estimate_of(known.population, threshold=threshold) if is_usable else None

    def threshold_for(self, precision: float) -> Estimate | None:
        """Estimate at the lowest threshold whose precision is as wanted; None where none is known."""
        known = self._now()
        is_usable = known.fitted is not None and not self._missing(known)
        return threshold_for(known.population, precision) if is_usable else None

    def propose(self, count: int = 10, *, num_checks: int | None = None) -> tuple[Proposal, ...]:
        """Moments to mark next. The same marks give the same proposals.

        Args:
            count: How many.
            num_checks: How many of them are checks; None takes three tenths. There are none while there are
                too few marks for a probe.
        """
        known, moments = self._now(), self.moments()
        if known.fitted is None:
            chosen = first_numbers(
                moments,
                self._is_unmarked(known),
                known.yes_nD,
                self._of_library(),
                count=count,
                generator=np.random.default_rng(len(known.marks)),
            )
        else:
            wanted = round(CHECK_SHARE * count) if num_checks is None else min(num_checks, count)
            chosen = next_numbers(
                moments,
                known.population,
                self._of_library(),
                count=count,
                num_checks=0 if self._missing(known) else wanted,
            )
        return tuple(self._proposal(moments, known, number, reason) for number, reason in chosen)

    def ranked(self, count: int = 50, *, least_probability: float = 0.0) -> tuple[RankedMoment, ...]:
        """Moments that the probe is surest of, surest first, also those that are marked.

        Args:
            count: How many.
            least_probability: Only moments that have at least this.

        Raises:
            ConfigError: There is no yes or no no among the marks.
        """
        known, moments = self._now(), self.moments()
        if known.fitted is None:
            raise ConfigError(f"{self.name!r} needs a yes and a no before it can rank anything.")
        population = known.population
        usable = np.flatnonzero(np.isfinite(population.logit_N))
        usable = usable[probability_of(population.logit_N[usable]) >= least_probability]
        order = usable[np.argsort(-population.logit_N[usable], kind="stable")][:count]
        said_N = np.maximum(population.learned_N, population.checked_N)
        return tuple(self._ranked(moments, population, int(number), int(said_N[number])) for number in order)

    def places(self, content: str) -> tuple[Place, ...]:
        """Files that hold a content, those that are there in front; none where the library has it not."""
        held = self._search.held
        return held.places(content) if content in held else ()

    def moments(self) -> Moments:
        """Moments of the library as it is now."""
        is_new = self._search.refresh()
        if self._moments is None or is_new or self._moments.timelines is not self._search.timelines:
            self._moments = Moments(
                self._search.timelines,
                self._search.held,
                self.library.config,
                senses=SENSES_OF[self.sense],
                seconds=self.record.moment_seconds,
            )
            self._draw_N = self._moments.draws(self.record.salt)
            self._directions = None
        return self._moments

    def _of_library(self) -> Directions:
        if self._directions is None:
            self._directions = directions_of(self.moments())
        return self._directions

    def _now(self) -> _Known:
        """What follows from the marks and the library now; kept until one of them changes."""
        moments = self.moments()
        key = (moments, self._file.stamp)
        if self._known is None or self._known[0] != key:
            self._known = (key, self._follow(moments, self._file.read()))
        return self._known[1]

    def _follow(self, moments: Moments, marks: tuple[Mark, ...]) -> _Known:
        rows = {mark.id: moments.feature(mark.span) for mark in marks}
        usable = [mark for mark in marks if rows[mark.id] is not None]
        learned = [mark for mark in usable if mark.is_match is not None and mark.reason != "check"]
        features_nD = np.array([rows[mark.id] for mark in learned]).reshape(-1, moments.width)
        is_match_n = np.array([bool(mark.is_match) for mark in learned], bool)
        counts = Counts(
            num_yes=int(is_match_n.sum()),
            num_no=int((~is_match_n).sum()),
            num_unsure=sum(mark.is_match is None for mark in usable),
            num_checks=sum(mark.reason == "check" for mark in usable),
            num_files=len({mark.content for mark in learned}),
            num_elsewhere=len(marks) - len(usable),
        )
        fitted = None
        logit_N = np.full(len(moments), -np.inf, np.float32)
        if counts.num_yes and counts.num_no:
            is_marked_N = np.zeros(len(moments), bool)
            for mark in learned:
                is_marked_N[moments.touched(mark.span)] = True
            directions = self._of_library()
            others_mD = directions.others(is_marked_N)
            fitted = fit_rule(features_nD, is_match_n, directions, others_mD=others_mD)
            logit_N = moments.logits(fitted.weights_D, fitted.bias)
        return _Known(
            marks=marks,
            counts=counts,
            yes_nD=features_nD[is_match_n],
            fitted=fitted,
            population=Population.of(moments, logit_N, usable, draw_N=self._draw_N),
        )

    def _missing(self, known: _Known) -> list[str]:
        return missing_marks(known.counts, num_contents=len(self._search.held))

    def _is_unmarked(self, known: _Known) -> NDArray[np.bool_]:
        population = known.population
        return self.moments().is_usable_N & (population.learned_N < 0) & (population.checked_N < 0)

    def _proposal(self, moments: Moments, known: _Known, number: int, reason: Reason) -> Proposal:
        span = moments.span(number)
        logit = known.population.logit_N[number]
        return Proposal(
            content=span.content,
            start_seconds=span.start_seconds,
            stop_seconds=span.stop_seconds,
            reason=reason,
            probability=None if known.fitted is None else float(probability_of(logit)),
        )

    def _ranked(self, moments: Moments, population: Population, number: int, said: int) -> RankedMoment:
        span = moments.span(number)
        return RankedMoment(
            content=span.content,
            places=self.places(span.content),
            start_seconds=span.start_seconds,
            stop_seconds=span.stop_seconds,
            probability=float(probability_of(population.logit_N[number])),
            is_match={0: False, 1: True}.get(said),
        )


def list_taught(library: Library) -> list[str]:
    """Names of what a library was taught."""
    return taught_names(library.folder)
