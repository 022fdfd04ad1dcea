"""Prepared dataset -> batches for training and evaluation.

datasets         `PairDataset`: one frame and its segment per clip; `ClipDataset`: all pairs of a clip
augmented_clips  `AugmentedClipDataset`: all pairs of a clip with random changes, for a classifier
mixtures         which clips are mixed with which (mixup), for inputs and targets alike
sampler          `ClipSampler`: which clips come when; its whole state is one integer
blocks           `BlockOrder`: clips in blocks of neighbours, for disks where a request is dear
loader           `make_loader`: batches, with any number of workers
batch            `Batch`: what a model is fed
targets          labels as vectors of classes
split            some files held out
"""

from cavmae_sync.data.loading.batch import Batch, concatenate
from cavmae_sync.data.loading.datasets import ClipDataset, PairDataset
from cavmae_sync.data.loading.loader import make_loader
from cavmae_sync.data.loading.sampler import BatchDraws, ClipOrder, ClipSampler

__all__ = [
    "Batch",
    "BatchDraws",
    "ClipDataset",
    "ClipOrder",
    "ClipSampler",
    "PairDataset",
    "concatenate",
    "make_loader",
]
