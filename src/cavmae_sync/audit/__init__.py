"""What somebody has of what a list asks for: missing, unreadable, short, silent, still, there twice.

take_inventory   every file or clip read once, in worker processes, resumed
find_duplicates  clips that are the same file, sound or picture, even re-encoded
find_overlap     clips that another dataset has too
judge            what became of every expected clip
"""

from cavmae_sync.audit.duplicates import Pair, Same, find_duplicates, find_overlap
from cavmae_sync.audit.facts import ClipFacts, Item
from cavmae_sync.audit.scan import Inventory, take_inventory
from cavmae_sync.audit.states import STATES, Audit, Expected, State, judge

__all__ = [
    "STATES",
    "Audit",
    "ClipFacts",
    "Expected",
    "Inventory",
    "Item",
    "Pair",
    "Same",
    "State",
    "find_duplicates",
    "find_overlap",
    "judge",
    "take_inventory",
]
