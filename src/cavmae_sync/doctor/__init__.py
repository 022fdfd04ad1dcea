"""Are weights, preprocessing and data right? Every check says what it measured and what to do."""

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
