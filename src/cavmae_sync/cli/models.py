"""The beginning of most commands: a model ready to compute, and clips for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cavmae_sync.cli.options import ComputeOptions, EncodeOptions
from cavmae_sync.cli.terminal import Terminal
from cavmae_sync.cli.words import model_words
from cavmae_sync.errors import DatasetError

if TYPE_CHECKING:
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.embedding import Embedder


def open_embedder(
    run_or_weights: Path, words: Sequence[str] = (), compute: ComputeOptions | None = None, **settings: Any
) -> "Embedder":
    """A model from a run or a file, ready to turn clips into vectors.

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        words: `key=value` words for what the weights do not show, such as `inputs.alignment=valid`.
        compute: How it computes; as the options' defaults unless given.
        settings: Further arguments of `Embedder`.
    """
    from cavmae_sync.compute import keep_freed_memory
    from cavmae_sync.embedding import Embedder
    from cavmae_sync.training import load_run_or_weights

    keep_freed_memory()
    model = load_run_or_weights(run_or_weights, model_words(words))
    note_training(run_or_weights)
    return Embedder(model, **(compute or EncodeOptions()).settings(), **settings)


def open_for_score(
    run_or_weights: Path,
    words: Sequence[str],
    compute: EncodeOptions,
    *,
    clips: "PreparedDataset | None",
) -> "Embedder":
    """A model as of `open_embedder`, for a command that gives a score: the doctor's cheap checks go first.

    Args:
        run_or_weights: Folder of a run, a weights file, or organisation/name on a hub.
        words: `key=value` words for what the weights do not show.
        compute: How it computes.
        clips: What the model will be measured on; None where that is no prepared dataset.

    Raises:
        ConfigError: A check fails, so that a score would not be what it says.
    """
    from cavmae_sync.compute import keep_freed_memory
    from cavmae_sync.doctor import check_ready, open_examined_model

    keep_freed_memory()
    examined = open_examined_model(run_or_weights, model_words(words), **compute.settings())
    note_training(run_or_weights)
    check_ready(examined, clips)
    if clips is not None:
        note_shared_clips(run_or_weights, clips)
    return examined.embedder


def note_training(run_or_weights: Path) -> None:
    """Say what weights were trained on and do not know, where their file says so.

    Args:
        run_or_weights: Folder of a run, a weights file, or a name.
    """
    if about := trained_on(run_or_weights):
        Terminal(stderr=True).print(f"note: {run_or_weights} was trained on {about}.", soft_wrap=True)


def trained_on(run_or_weights: Path) -> str | None:
    """What weights were trained on and do not know, in words; None where their file does not say.

    Args:
        run_or_weights: Folder of a run, a weights file, or a name.
    """
    from cavmae_sync.training import weights_of
    from cavmae_sync.weights import read_provenance

    path = weights_of(run_or_weights)
    return read_provenance(path).trained_on if path.suffix == ".safetensors" else None


def note_shared_clips(
    run: Path, clips: "PreparedDataset", *, so: str = "A score on them says nothing of other clips."
) -> None:
    """Say which clips a run has learned from, where that is known and its dataset is still there.

    Args:
        run: Folder of a run, or weights.
        clips: The clips that are used.
        so: What follows, as a sentence.
    """
    from cavmae_sync.audit.overlap import shared_clips
    from cavmae_sync.checks import first_names
    from cavmae_sync.data import PreparedDataset
    from cavmae_sync.training import training_data

    data = training_data(run)
    try:
        shared = () if data is None else shared_clips(clips, PreparedDataset.open(data))
    except DatasetError:  # the training set is no longer what it was: there is nothing to compare with
        return
    if shared:
        Terminal(stderr=True).print(
            f"note: {len(shared)} of {len(clips)} clips were learned from in this run's pretraining "
            f"({first_names(map(str, shared))}). {so}",
            soft_wrap=True,
        )


def open_clips(data: Path, *, num_clips: int | None) -> "PreparedDataset":
    """A prepared dataset, or its first clips."""
    from cavmae_sync.data import PreparedDataset

    clips = PreparedDataset.open(data)
    return clips if num_clips is None else clips.head(num_clips)
