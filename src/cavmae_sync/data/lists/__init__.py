"""Files that others publish: lists of clips, of classes, and their ontology.

read_list_file   a list of clips, whatever its format; see `files`
match_names      which file of a folder is which clip of a list; see `names`
"""

from cavmae_sync.data.lists.files import read_list_file
from cavmae_sync.data.lists.names import NameMatches, WantedClip, match_names
from cavmae_sync.data.lists.rows import ListedClip, ListFile, ListKind

__all__ = [
    "ListFile",
    "ListKind",
    "ListedClip",
    "NameMatches",
    "WantedClip",
    "match_names",
    "read_list_file",
]
