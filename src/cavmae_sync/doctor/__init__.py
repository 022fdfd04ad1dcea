"""Are weights, preprocessing and data right? Every check says what it measured and what to do."""

from cavmae_sync.doctor.examine import Examination, check_ready, examine
from cavmae_sync.doctor.faults import FAULTS, Change, Fault
from cavmae_sync.doctor.finding import DoctorReport, Finding
from cavmae_sync.doctor.subject import Subject, open_subject

__all__ = [
    "FAULTS",
    "Change",
    "DoctorReport",
    "Examination",
    "Fault",
    "Finding",
    "Subject",
    "check_ready",
    "examine",
    "open_subject",
]
