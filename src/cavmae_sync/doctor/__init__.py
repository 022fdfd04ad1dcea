"""A model and a dataset in; a report out that says whether weights, preprocessing and data are right.

- `examine`: every check in order (`examine`), and the cheap ones before a score (`check_ready`).
- `examined_model`: the model as it is about to be used, with what its file says.
- `report`: findings, one per check, and the verdict.
- Checks: `weights` (no clip needed), `installation` and `behaviour` (the package's clip), `pipeline_vectors`
  (vectors of the package's clip from another program), `dataset` (clips without a model), `pairs` (vectors
  of a dataset).
- `faults`: the catalogue of known faults; `fault_probe` embeds clips with a fault planted or undone, and
  `diagnosis` tests whether that helps. `known_files`: published weights files.
- `speed`: how fast a model embeds here in each precision, and how exact.
"""

from cavmae_sync.doctor.examine import ExamineOptions, check_ready, examine
from cavmae_sync.doctor.examined_model import ExaminedModel, open_examined_model
from cavmae_sync.doctor.faults import FAULTS, Change, Fault
from cavmae_sync.doctor.report import DoctorReport, Finding

__all__ = [
    "FAULTS",
    "Change",
    "DoctorReport",
    "ExamineOptions",
    "ExaminedModel",
    "Fault",
    "Finding",
    "check_ready",
    "examine",
    "open_examined_model",
]
