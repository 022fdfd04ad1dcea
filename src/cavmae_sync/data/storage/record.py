"""`dataset.json`: what a prepared dataset is, written last, read first."""

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from cavmae_sync.data.config import PrepareConfig
from cavmae_sync.data.storage.tables import DATASET_FILE, SCHEMA_VERSION, SHARDS_FOLDER
from cavmae_sync.errors import DatasetError
from cavmae_sync.untrusted import check_subfolder, checked, read_object, size_inside

_REMEDY: Final = "Copy the dataset again, or prepare it again."
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
    """What readers of a dataset need of its record."""

    list_sha256: str = Field(pattern=_HASH)
    """See `manifest.list_hash`."""
    counts: _Counts
    """Among them the number of clips."""
    plan: _Plan
    """Among it the configuration of the preparation."""
    shards: list[_Shard]
    """Name, size and SHA-256 of each."""


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a complete dataset, all that readers need of it checked.

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
    record = read_object(path, remedy=_REMEDY)
    found = record.get("schema_version")
    if found != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {found!r:.40}, this program reads {SCHEMA_VERSION}. Prepare the "
            "dataset again, or use the version of the program that made it."
        )
    checked(record, DatasetRecord, path=path, remedy=_REMEDY)
    return record


def config_of(folder: Path, record: dict[str, Any]) -> PrepareConfig:
    """How a dataset was prepared.

    Raises:
        DatasetError: The record does not say it.
    """
    return checked(
        record["plan"]["config"],
        PrepareConfig,
        path=folder / DATASET_FILE,
        field="plan.config",
        remedy=_REMEDY,
    )


def check_shards(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a dataset that lacks a shard, or has one of another size.

    Raises:
        DatasetError: Names it.
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
                f"{'is missing' if found is None else f'has {found}'}. {_REMEDY}"
            )
