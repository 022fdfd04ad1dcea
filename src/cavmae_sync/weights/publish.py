"""A model as a folder of three files, and that folder as a repository on a Hugging Face hub.

FOLDER/model.safetensors    the weights, their configuration and provenance: all that loading needs
FOLDER/config.json          the configuration, for people and for programs that look no further
FOLDER/README.md            the model card
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cavmae_sync.atomic import write_text
from cavmae_sync.errors import WeightsError
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.weights.fingerprint import weights_fingerprint
from cavmae_sync.weights.hub import MODEL_FILE, hub_errors
from cavmae_sync.weights.model_card import LIBRARY, model_card
from cavmae_sync.weights.provenance import FORMAT, Provenance
from cavmae_sync.weights.save import save_model

CONFIG_FILE: Final = "config.json"
CARD_FILE: Final = "README.md"

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def save_pretrained(
    model: CAVMAESync,
    folder: str | Path,
    *,
    provenance: Provenance | None = None,
    repository: str | None = None,
    base_model: str | None = None,
    results: str | None = None,
) -> Path:
    """Write weights, configuration and model card into a folder.

    Args:
        model: The model.
        folder: Made if need be; the three files in it are replaced.
        provenance: Where the weights come from; None means that they were trained here.
        repository: `organisation/name` for the card's example.
        base_model: Repository of the weights that training started from, for the card.
        results: Markdown for the card's section on results.

    Returns:
        The weights file.

    Raises:
        WeightsError: The name is not organisation/name, or the folder holds a config.json of something
            else, such as a run.
    """
    _check_name(repository)
    folder = Path(folder)
    provenance = provenance or Provenance()
    if (folder / CONFIG_FILE).exists() and not (folder / MODEL_FILE).exists():
        raise WeightsError(
            f"{folder} holds a {CONFIG_FILE} but no {MODEL_FILE}: it is a run or another model. "
            "Name an empty folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    card = model_card(
        model, provenance=provenance, repository=repository, base_model=base_model, results=results
    )
    save_model(model, folder / MODEL_FILE, provenance=provenance)
    write_text(folder / CONFIG_FILE, json.dumps(_readable_config(model, provenance), indent=2) + "\n")
    write_text(folder / CARD_FILE, card)
    return folder / MODEL_FILE


def push_to_hub(
    model: CAVMAESync,
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    provenance: Provenance | None = None,
    base_model: str | None = None,
    results: str | None = None,
) -> str:
    """Publish a model in one commit: all three files, or none.

    Args:
        model: The model.
        repository: `organisation/name`; made if it does not exist.
        private: Whether only those with access may see it. A repository that is public already is refused.
        revision: Branch to commit to; None for the main one.
        provenance: Where the weights come from; None means that they were trained here.
        base_model: Repository of the weights that training started from, for the card.
        results: Markdown for the card's section on results.

    Returns:
        Address of the commit.

    Raises:
        WeightsError: The name is not organisation/name, the hub cannot be reached, or it refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    _check_name(repository)
    with TemporaryDirectory() as temporary, hub_errors(f"Publishing {repository}", repository):
        folder = save_pretrained(
            model,
            temporary,
            provenance=provenance,
            repository=repository,
            base_model=base_model,
            results=results,
        ).parent
        api = HfApi()
        api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise WeightsError(
                f"{repository} exists and is public, so that nothing was sent. Make it private on its "
                "page, or choose another name."
            )
        commit = api.create_commit(
            repository,
            [
                CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name)
                for name in (MODEL_FILE, CONFIG_FILE, CARD_FILE)
            ],
            commit_message=f"Weights {weights_fingerprint(model)[:12]}",
            revision=revision,
        )
    return commit.commit_url


def _check_name(repository: str | None) -> None:
    if repository is not None and not _REPOSITORY.fullmatch(repository):
        raise WeightsError(f"{repository!r} is not the name of a repository. Write organisation/name.")


def _readable_config(model: CAVMAESync, provenance: Provenance) -> dict[str, object]:
    return {
        "library_name": LIBRARY,
        "format": FORMAT,
        "weights": weights_fingerprint(model),
        "model": model.config.model_dump(mode="json"),
        "provenance": provenance.model_dump(mode="json", exclude={"proof"}),
    }
