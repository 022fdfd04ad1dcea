"""The files of a prepared dataset: how they are written, checked and read.

prepared_dataset  `PreparedDataset`: the opened folder; any frame or spectrogram row by one read
tables            `clips.parquet` and `rejected.parquet`: their schemas and rows
mapped_table      `clips.arrow`: the table of clips again, mapped into memory instead of read
record            `dataset.json`: version, configuration, counts and checksums
shards            tar shards in WebDataset layout, written
byte_ranges       byte ranges of shards, read
frame_memory      decoded frames that stay in memory
clip_files        the files of one clip: JPEG frames, FLAC sound, log-mel rows
check             comparison of a whole dataset with its record
"""

from cavmae_sync.data.storage.prepared_dataset import PreparedDataset
from cavmae_sync.data.storage.tables import ClipRow, Rejected

__all__ = ["ClipRow", "PreparedDataset", "Rejected"]
