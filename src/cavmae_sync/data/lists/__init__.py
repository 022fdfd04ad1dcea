"""Lists that others publish: of clips, of classes, of weights; and lists of our own made from them.

clip_list       `ClipList`: which clips, in which order, with which labels; `select`: the prepared ones
formats         the formats of lists, told apart by their content; audioset, vggsound: two of them
rows            the rows that every format comes down to, and the reading of text and CSV
name_matching   which file, or which prepared clip, is which clip of a list
classes         lists of classes; ontology: the ontology of AudioSet, read as one
clip_weights    weights of clips for balanced sampling
make_list       a list made from another one: of one split, per class, of the available clips
per_class       the rule that chooses a few clips of each class
list_counts     rows, classes and repeated clips of a list, counted
"""

from cavmae_sync.data.lists.clip_list import ClipList, Selection, read_clip_list, select
from cavmae_sync.data.lists.clip_weights import balanced_weights, read_weights
from cavmae_sync.data.lists.formats import read_list_file
from cavmae_sync.data.lists.name_matching import NameMatches, WantedClip, match_names
from cavmae_sync.data.lists.rows import ListedClip, ListFile, ListKind

__all__ = [
    "ClipList",
    "ListFile",
    "ListKind",
    "ListedClip",
    "NameMatches",
    "Selection",
    "WantedClip",
    "balanced_weights",
    "match_names",
    "read_clip_list",
    "read_list_file",
    "read_weights",
    "select",
]
