"""What somebody has of what a list asks for: missing, unreadable, short, silent, still, there twice.

take_inventory   every file or clip read once, in worker processes, resumed
find_duplicates  clips that are the same file, sound or picture, even re-encoded
find_overlap     clips that another dataset has too
audit_clips            what became of every expected clip
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
