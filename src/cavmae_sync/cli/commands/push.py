"""`cavmae-sync push`: publish weights on a Hugging Face hub, with a model card."""

from pathlib import Path
from typing import TYPE_CHECKING

from cavmae_sync.cli.options import Overwrite, RunOrWeights, Switch
from cavmae_sync.cli.outputs import check_folder, check_new
from cavmae_sync.cli.terminal import Terminal, print_line, print_lines
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.model import CAVMAESync


def push(
    run_or_weights: RunOrWeights,
    repository: str,
    /,
    *,
    private: Switch = False,
    licence: str | None = None,
    base_model: str | None = None,
    report: Path | None = None,
    dry_run: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Publish weights on the Hugging Face hub: weights, configuration and a model card, in one commit.

    Others then load them with `cavmae_sync.load_model("organisation/name")`, and every command takes the name
    in the place of a run. Log in once with `hf auth login`, or set HF_TOKEN.

    Example: cavmae-sync push my-run org/name --licence Apache-2.0 --dry-run my-folder

    Args:
        repository: organisation/name on the hub; made if it does not exist.
        private: Show the repository only to those with access.
        licence: Licence of the weights, for example Apache-2.0, when their file does not name one.
        base_model: organisation/name of the weights that training started from.
        report: JSON file that an evaluate command printed with --json for these weights, for the card.
        dry_run: Write everything into this folder and print the card; send nothing.
    """
    from cavmae_sync.training import weights_of
    from cavmae_sync.weights import load_model, push_to_hub, read_provenance, save_pretrained
    from cavmae_sync.weights.hub import MODEL_FILE
    from cavmae_sync.weights.publish import CARD_FILE

    check_folder(dry_run, option="--dry-run")
    check_new(dry_run, option="--dry-run", overwrite=overwrite, files=(MODEL_FILE, CARD_FILE))
    weights = weights_of(run_or_weights)
    model = load_model(weights)
    provenance = read_provenance(weights)
    if licence is not None:
        provenance = provenance.model_copy(update={"licence": licence})
    about = {
        "provenance": provenance,
        "base_model": base_model,
        "results": None if report is None else _results(report, model),
    }
    if dry_run is None:
        print_line(push_to_hub(model, repository, private=private, **about))
        return
    written = save_pretrained(model, dry_run, repository=repository, **about)
    print_lines(written.with_name("README.md").read_text("utf-8"))
    message = f"written to {dry_run}, with the card above; nothing was sent."
    Terminal(stderr=True).print(message, highlight=False, soft_wrap=True)


def _results(path: Path, model: "CAVMAESync") -> str:
    from cavmae_sync.tasks.card_results import results_markdown
    from cavmae_sync.untrusted import parse_json
    from cavmae_sync.weights import weights_fingerprint

    try:
        content = parse_json(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfigError(f"--report {path} is not JSON ({error}). Give what --json printed.") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"--report {path} is not a report. Give what an evaluate command printed with --json."
        )
    return results_markdown(content, weights=weights_fingerprint(model))
