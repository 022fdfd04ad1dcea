"""`dataset.json`, the record of a prepared dataset: written last, read first."""

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.storage.tables import DATASET_FILE, SCHEMA_VERSION, SHARDS_FOLDER
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import check_subfolder, checked, read_object, size_inside

#: Advice for files of a dataset that are missing or damaged.
REMEDY: Final = "Copy the dataset again, or prepare it again."
_HASH: Final = "^[0-9a-f]{64}$"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Shard(_Part):
    name: str
    num_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=_HASH)


class _Plan(_Part):
    config: dict[str, Any]


class _Counts(_Part):
    num_clips: int = Field(ge=0)


class DatasetRecord(_Part):
    """The fields of a record that readers of the dataset need."""

    list_sha256: str = Field(pattern=_HASH)
    """Fingerprint of the clips; see `tables.list_hash`."""
    counts: _Counts
    """Counts of the preparation, among them the number of clips."""
    plan: _Plan
    """Plan of the preparation, with its configuration."""
    shards: list[_Shard]
    """Name, size and SHA-256 of every shard."""


def read_record(folder: Path) -> dict[str, Any]:
    """Record of a complete dataset, with the fields of `DatasetRecord` checked.

    Raises:
        DatasetError: It is missing, damaged or of another version; names the field.
    """
    path = folder / DATASET_FILE
    if not path.is_file():
        why = f"it has no {DATASET_FILE}" if folder.exists() else "there is no such folder"
        raise DatasetError(
            f"{folder} is not a complete prepared dataset: {why}. "
            'Run "cavmae-sync prepare" on your videos, again if it was interrupted.'
        )
    record = read_object(path, remedy=REMEDY)
    found = record.get("schema_version")
    if found != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {found!r:.40}, but this cavmae-sync reads version {SCHEMA_VERSION}. "
            "Prepare the dataset again, or use the version of cavmae-sync that made it."
        )
    checked(record, DatasetRecord, path=path, remedy=REMEDY)
    return record


def config_of(folder: Path, record: dict[str, Any]) -> PrepareConfig:
    """Configuration that a dataset was prepared with.

    Raises:
        DatasetError: The configuration in the record is malformed.
    """
    return checked(
        record["plan"]["config"],
        PrepareConfig,
        path=folder / DATASET_FILE,
        field="plan.config",
        remedy=REMEDY,
    )


def check_shards(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a dataset that lacks a shard, or has one of another size.

    Raises:
        DatasetError: A shard is missing or of another size; names it.
    """
    check_subfolder(folder, SHARDS_FOLDER)
    shards = str(folder / SHARDS_FOLDER)
    for shard in record["shards"]:
        try:
            found = size_inside(shards, shard["name"])
        except FileNotFoundError:
            found = None
        if found != shard["num_bytes"]:
            raise DatasetError(
                f"{shards}/{shard['name']} should have {shard['num_bytes']} bytes but "
                f"{'is missing' if found is None else f'has {found}'}. {REMEDY}"
            )
