"""`cavmae-sync list`: what a published list holds, and lists for retrieval made of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cavmae_sync.choices import LabelNames, ListFormat, ListSplit
from cavmae_sync.cli.options import Count, Json, Overwrite
from cavmae_sync.cli.outputs import check_new
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from cavmae_sync.data.lists.make_list import MadeList

_FORMAT_BY_SUFFIX: Final[dict[str, ListFormat]] = {".csv": "csv", ".txt": "text"}


def list_clips(
    source: Path,
    /,
    *,
    split: ListSplit | None = None,
    classes: Path | None = None,
    names: LabelNames | None = None,
    per_class: Count | None = None,
    available: Path | None = None,
    out: Path | None = None,
    format: ListFormat | None = None,  # noqa: A002  what people type
    weights: Path | None = None,
    write_weights: Path | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Show what a list of clips holds, and make a list for retrieval of it, with its fingerprint.

    Reads CAV-MAE's JSON manifests, AudioSet's segments, vggsound.csv, CSV with the header video_id,labels,
    text with one id a line, and prepared datasets. Of the folder ADE20KSoundPrompted it shows the audit. A
    malformed row is an error that names its line.

    Example: cavmae-sync list eval_segments.csv --per-class 5 --out audioset-5-per-class.json

    Args:
        source: List, folder of a prepared dataset, or the folder ADE20KSoundPrompted.
        split: Take only these rows of vggsound.csv.
        classes: Class list (index,mid,display_name), or ontology.json, to check the labels against.
        names: Write labels as the name or the mid that the class list has for them.
        per_class: Take about this many clips of each class, in the order of the file.
        available: Prepared dataset; take only the clips that it has, and say how many of each class are
            missing.
        out: File for the list. NAME.about.json beside it says how it was made.
        format: Format of that file. Unless given, csv or text where OUT ends in .csv or .txt, else json.
        weights: File of sampling weights (one number a line) to check against the list.
        write_weights: File for the weights that follow from the labels.
    """
    from cavmae_sync.data.lists.clip_weights import read_weights
    from cavmae_sync.data.lists.clip_weights import write_weights as write
    from cavmae_sync.data.lists.make_list import ListPlan, make_list, write_list
    from cavmae_sync.tasks.localization.ade20k import TABLE_FILE

    check_new(out, option="--out", overwrite=overwrite)
    check_new(write_weights, option="--write-weights", overwrite=overwrite)
    if (source / TABLE_FILE).is_file():
        _show_prompted(source, as_json=as_json)
        return
    plan = ListPlan(split=split, classes=classes, names=names, per_class=per_class, available=available)
    with show_progress("reading the list") as advance:  # two million rows of AudioSet take half a minute
        advance(0, 1)
        made = make_list(source, plan)
    written: dict[str, Any] = {}
    if weights is not None:
        written["num_weights_read"] = len(read_weights(weights, num_clips=len(made.clips)))
    if out is not None:
        form = format or _FORMAT_BY_SUFFIX.get(out.suffix.lower(), "json")
        written["list"], written["about"] = str(out), str(write_list(made, out, form=form))
    if write_weights is not None:
        write(write_weights, made.clips.labels)
        written["weights"] = str(write_weights)
    _print(made, written, as_json=as_json)


def _print(made: "MadeList", written: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({**made.to_dict(), **written})
        return
    console = Terminal()
    console.print(made.source_counts.to_table(f"in {made.clips.source}"))
    console.print(made.to_table())
    for what, where in written.items():
        console.print(f"{what.replace('_', ' ')}: {where}", soft_wrap=True)


def _show_prompted(folder: Path, *, as_json: bool) -> None:
    from cavmae_sync.tasks.localization.ade20k_audit import audit_ade20k

    with show_progress("looking at files") as advance:
        audit = audit_ade20k(folder, on_progress=advance)
    if as_json:
        print_json(audit.to_dict())
        return
    console = Terminal()
    console.print(audit.to_table())
    for line in audit.to_lines():
        console.print(line, highlight=False, soft_wrap=True)
