"""`library.json`: what made a library. It is written first; whatever is added must agree with it."""

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ValidationError

from cavmae_sync.atomic import write_text
from cavmae_sync.compute import Float32Products, parse_float32_products
from cavmae_sync.embedding.encoders import OWN, ClipEncoder, EncoderRecord
from cavmae_sync.embedding.library.config import LibraryConfig
from cavmae_sync.embedding.library.schema import LIBRARY_FILE, SCHEMA_VERSION, WORK_FOLDER
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.model import CAVMAESync, ModelConfig
from cavmae_sync.untrusted import checked, read_object
from cavmae_sync.weights import weights_fingerprint
from cavmae_sync.work.plan_differences import differences

_FORMAT: Final = "cavmae-sync library"
_REMEDY: Final = "Copy the library again, or make it again."


class LibraryRecord(BaseModel):
    """Content of `library.json`."""

    format: str = _FORMAT
    schema_version: int = SCHEMA_VERSION
    """Version of the format."""
    program: str
    """Version of cavmae-sync that began it."""
    encoder: EncoderRecord
    """What made the vectors."""
    spaces: dict[str, str]
    """For each column of vectors the space that it lies in. Vectors compare within one space only."""
    config: LibraryConfig
    """Clips that are cut, and how vectors are stored."""

    @classmethod
    def of(cls, encoder: ClipEncoder, config: LibraryConfig) -> Self:
        """The record of a library that an encoder fills."""
        return cls(
            program=version("cavmae-sync"),
            encoder=encoder.record(),
            spaces={str(sense): space for sense, space in encoder.spaces.items()},
            config=config.with_rule(encoder.sampling),
        )

    @property
    def has_one_space(self) -> bool:
        """Whether vectors of sounds compare with those of frames."""
        return len(set(self.spaces.values())) == 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the vectors of a file; parts carry it."""
        decisive = {"encoder": self.encoder.model_dump(mode="json"), "config": self._config()}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def was_made_by(self, model: CAVMAESync) -> bool:
        """Whether a model made it: the same weights, with the same inputs (their alignment, for one)."""
        try:
            made_with = ModelConfig.model_validate(self.encoder.made_with["model"])
        except (ValidationError, LookupError):  # another encoder, or of a later version
            return False
        return made_with.inputs == model.config.inputs and self.encoder.weights == weights_fingerprint(model)

    def differences(self, wanted: "LibraryRecord") -> list[str]:
        """Differences from another record, field by field, in words that say what to do."""
        return differences(self._plan(), wanted._plan())

    def _config(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def _plan(self) -> dict[str, Any]:
        made_with = dict(self.encoder.made_with)
        if self.encoder.kind == OWN:
            # With the names of fields as this version writes them. Where they are of a later version, the
            # comparison says what differs.
            with suppress(ValidationError, LookupError):
                made_with["model"] = ModelConfig.model_validate(made_with["model"]).model_dump(mode="json")
        return {
            "encoder": self.encoder.kind,
            "weights": self.encoder.weights,
            "made_with": made_with,
            "config": self._config(),
            "spaces": self.spaces,
        }


def read_record(folder: Path) -> LibraryRecord:
    """Content of a library's `library.json`.

    Raises:
        DatasetError: The folder is not a library, or of another version of the format.
    """
    path = folder / LIBRARY_FILE
    if not path.is_file():
        raise DatasetError(
            f"{folder} is not a library: it has no {LIBRARY_FILE}. Make one with cavmae-sync index add "
            f"{folder} VIDEOS --model MODEL."
        )
    content = read_object(path, remedy=_REMEDY)
    found = content.get("schema_version")
    if found == 1:
        raise DatasetError(
            f"{folder} was made by an earlier version. cavmae-sync index status {folder} converts it in "
            "place, without encoding anything again."
        )
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has version {found} of the format; this program reads {SCHEMA_VERSION}. "
            "Update cavmae-sync."
        )
    return checked(content, LibraryRecord, path=path, remedy=_REMEDY)


def claim_library(folder: Path, wanted: LibraryRecord) -> LibraryRecord:
    """Begin a library, or check that what is to be added agrees with it.

    Raises:
        DatasetError: The folder holds something else.
        ConfigError: It is a library of another model or configuration; names each field that differs.
    """
    if (folder / LIBRARY_FILE).is_file():
        found = read_record(folder)
        if told := found.differences(wanted):
            raise ConfigError(
                f"{folder} was begun with another model or configuration: {'; '.join(told)}. Vectors of both "
                "do not compare. Use the same ones, or another folder."
            )
        return found
    if folder.exists() and any(path.name != WORK_FOLDER for path in folder.iterdir()):
        raise DatasetError(f"{folder} is not empty and not a library. Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / LIBRARY_FILE, json.dumps(wanted.model_dump(mode="json"), indent=2) + "\n")
    return wanted


def products_of_library(folder: str | os.PathLike[str]) -> Float32Products | None:
    """Kind of float32 products that a library was begun with; None without a library.

    Whatever is added must be computed in the same way, or its vectors would differ in their last bits.
    """
    if not (Path(folder) / LIBRARY_FILE).is_file():
        return None
    return parse_float32_products(read_record(Path(folder)).encoder.made_with.get("float32_products"))
