"""Folders of videos -> prepared dataset -> batches.

preparing   videos, or the layout of CAV-MAE -> prepared dataset (`prepare`, `import_cavmae`)
storage     the files of a prepared dataset; `PreparedDataset` opens it
lists       published lists of clips, classes and weights; `select`: the prepared clips on a list
loading     prepared dataset -> batches (`PairDataset`, `ClipDataset`, `ClipSampler`, `make_loader`)
config      `PrepareConfig`: how videos are prepared
draws       random numbers that depend on seed, epoch and clip alone
flags       is a clip silent, still or short?
spellings   two spellings of one name: accented letters in one character or in two
"""

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.draws import Draw
from cavmae_sync.data.lists import ClipList, Selection, balanced_weights, read_clip_list, read_weights, select
from cavmae_sync.data.loading import (
    Batch,
    BatchDraws,
    ClipDataset,
    ClipOrder,
    ClipSampler,
    PairDataset,
    concatenate,
    make_loader,
)
from cavmae_sync.data.preparing import PrepareReport, import_cavmae, prepare
from cavmae_sync.data.storage import ClipRow, PreparedDataset, Rejected

__all__ = [
    "Batch",
    "BatchDraws",
    "ClipDataset",
    "ClipList",
    "ClipOrder",
    "ClipRow",
    "ClipSampler",
    "Draw",
    "PairDataset",
    "PrepareConfig",
    "PrepareReport",
    "PreparedDataset",
    "Rejected",
    "Selection",
    "balanced_weights",
    "concatenate",
    "import_cavmae",
    "make_loader",
    "prepare",
    "read_clip_list",
    "read_weights",
    "select",
]
