"""Folders of videos -> prepared dataset -> batches.

prepare          videos -> folder of tar shards, clips.parquet, rejected.parquet, dataset.json
import_cavmae    the same from the layout of CAV-MAE (JSON manifest, frame_0/ID.jpg, ID.wav)
PreparedDataset  that folder, opened: rows, and any frame or spectrogram row by one read
PairDataset      one frame and its segment per clip, for training; ClipDataset: all of them, in order
ClipSampler      which clips come when; its whole state is one integer
make_loader      batches of a dataset, with any number of workers
read_clip_list   a published list of clips, whatever its format; select: the prepared clips on it
"""

from cavmae_sync.data.batch import Batch, concatenate
from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.dataset import ClipDataset, PairDataset
from cavmae_sync.data.draws import Draw
from cavmae_sync.data.lists.clip_list import ClipList, Selection, read_clip_list, select
from cavmae_sync.data.lists.clip_weights import read_weights
from cavmae_sync.data.loader import make_loader
from cavmae_sync.data.manifest import ClipRow, Rejected
from cavmae_sync.data.preparing.import_cavmae import import_cavmae
from cavmae_sync.data.preparing.prepare import prepare
from cavmae_sync.data.preparing.report import PrepareReport
from cavmae_sync.data.sampler import ClipOrder, ClipSampler, balanced_weights
from cavmae_sync.data.store import PreparedDataset

__all__ = [
    "Batch",
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
