"""Marks in; a probe out: teach a library a sound or a sight by saying yes and no, and know how good it is.

- `moments`: the timelines of a library in pieces that can be marked. `marks`: what was said of them, kept.
- `names`: what is taught, and its record.
- `fitting`: marks to a linear rule. `kept_probe`: the rule as a probe.
- `population`: what the rule says of everything, and what is known of it.
- `proposals`: what to mark next. `intervals`, `estimate`: how precise the rule is. `state`: are there enough?
- `taught`: `Taught`, which brings these together. `proposed`: proposals that wait for an answer.
- `exports`: marks as files of other programs, and from them.
"""

from cavmae_sync.teaching.estimate import Estimate
from cavmae_sync.teaching.exports import ExportFormat, export_marks, export_proposals, read_marks
from cavmae_sync.teaching.intervals import Interval
from cavmae_sync.teaching.marks import Mark, Reason
from cavmae_sync.teaching.moments import Span
from cavmae_sync.teaching.names import TaughtSense, check_name
from cavmae_sync.teaching.proposals import Proposal
from cavmae_sync.teaching.proposed import answered, keep_proposals, kept_proposals, typed_marks
from cavmae_sync.teaching.state import Counts, Status, TaughtState
from cavmae_sync.teaching.taught import RankedMoment, Taught, list_taught

__all__ = [
    "Counts",
    "Estimate",
    "ExportFormat",
    "Interval",
    "Mark",
    "Proposal",
    "RankedMoment",
    "Reason",
    "Span",
    "Status",
    "Taught",
    "TaughtSense",
    "TaughtState",
    "answered",
    "check_name",
    "export_marks",
    "export_proposals",
    "keep_proposals",
    "kept_proposals",
    "list_taught",
    "read_marks",
    "typed_marks",
]
