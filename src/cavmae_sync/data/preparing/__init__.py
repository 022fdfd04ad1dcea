"""Videos -> prepared dataset, in units that any number of processes and machines share.

prepare         `prepare`: a folder or list of videos
import_cavmae   `import_cavmae`: a dataset in the layout of CAV-MAE
sources         which files there are to prepare, with an id for each
labels          which labels each file has
job             the files in units, and the plan that a later run must agree with
prepare_unit    one unit: its shards and tables
videos          the clips of one video file
finish          the tables of all units become those of the dataset
file_counts     counts of files and clips, shared with `embedding.library`
report          `PrepareReport`
"""

from cavmae_sync.data.preparing.import_cavmae import import_cavmae
from cavmae_sync.data.preparing.prepare import prepare
from cavmae_sync.data.preparing.report import PrepareReport

__all__ = ["PrepareReport", "import_cavmae", "prepare"]
