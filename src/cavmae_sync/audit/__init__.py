"""Audit of videos: which clips of a published list are available, and what is wrong with the others.

In: a folder of videos, a list of files or a prepared dataset, and a list of clips. Out: `AuditReport`.

report        `audit_videos`: the whole audit; `AuditReport`; its files
inventory     `take_inventory`: every file or clip is read once, in worker processes, and can be resumed
facts         what is stored of each clip: flags, and fingerprints of its picture and sound
fingerprint   codes of a clip that a new encoding hardly changes
matching      which codes are alike
duplicates    `find_duplicates`: clips that are the same; `find_overlap`: clips that another dataset has too
states        `audit_clips`: the state of every expected clip
overlap       quick check that training and test clips of prepared datasets are different
page, figures the HTML page of an audit
"""

from cavmae_sync.audit.duplicates import DuplicatePair, Same, find_duplicates, find_overlap
from cavmae_sync.audit.facts import ClipFacts, InventoryItem
from cavmae_sync.audit.inventory import Inventory, take_inventory
from cavmae_sync.audit.states import CLIP_STATES, Audit, ClipState, ExpectedClip, audit_clips

__all__ = [
    "CLIP_STATES",
    "Audit",
    "ClipFacts",
    "ClipState",
    "DuplicatePair",
    "ExpectedClip",
    "Inventory",
    "InventoryItem",
    "Same",
    "audit_clips",
    "find_duplicates",
    "find_overlap",
    "take_inventory",
]
