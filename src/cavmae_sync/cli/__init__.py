"""The command line: each command parses its words, makes one library call and prints.

Data go to standard output, progress and messages to standard error. Exit codes: 0 done, 1 an error that says
what to do, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by a closed terminal; these three
clean up alike. Commands import torch only when they run, so that --help is instant.

    commands/    the commands, one module each, by the names that people type
    options      options that several commands share
    words        key=value words: for a command's configuration, or for the model
    models       a model ready to compute, and clips for it
    libraries    what commands on libraries have in common
    taught       what commands on what a library was taught have in common
    outputs      checks of the places to write to
    progress     progress of work, on a terminal or in a log
    terminal     all printing, safe for names from strangers
    interrupt    Ctrl-C, SIGTERM and a closed terminal
    jobs         a command as jobs of a cluster
    renamed      old names of commands and options
    hints        what may help after a refusal
"""

import errno
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError

from cavmae_sync.cli.commands.agreement import agreement
from cavmae_sync.cli.commands.audit import audit
from cavmae_sync.cli.commands.classify import classify
from cavmae_sync.cli.commands.convert import convert
from cavmae_sync.cli.commands.demo import demo
from cavmae_sync.cli.commands.doctor import doctor
from cavmae_sync.cli.commands.embed import embed
from cavmae_sync.cli.commands.evaluate.agreement import agreement as evaluate_agreement
from cavmae_sync.cli.commands.evaluate.localize import localize as evaluate_localize
from cavmae_sync.cli.commands.evaluate.retrieval import retrieval
from cavmae_sync.cli.commands.evaluate.segment import segment as evaluate_segment
from cavmae_sync.cli.commands.export import export
from cavmae_sync.cli.commands.import_cavmae import import_cavmae
from cavmae_sync.cli.commands.index.add import add
from cavmae_sync.cli.commands.index.export import export as index_export
from cavmae_sync.cli.commands.index.remove import remove
from cavmae_sync.cli.commands.index.root import root
from cavmae_sync.cli.commands.index.status import status
from cavmae_sync.cli.commands.index.update import update
from cavmae_sync.cli.commands.list import list_clips
from cavmae_sync.cli.commands.localize import localize
from cavmae_sync.cli.commands.prepare import prepare
from cavmae_sync.cli.commands.pretrain import pretrain
from cavmae_sync.cli.commands.probe import probe
from cavmae_sync.cli.commands.push import push
from cavmae_sync.cli.commands.reconstruct import reconstruct
from cavmae_sync.cli.commands.reproduce import reproduce
from cavmae_sync.cli.commands.search import search
from cavmae_sync.cli.commands.segment import segment
from cavmae_sync.cli.commands.serve import serve
from cavmae_sync.cli.commands.speed import speed
from cavmae_sync.cli.commands.stage import stage
from cavmae_sync.cli.commands.submit import submit
from cavmae_sync.cli.commands.teach.export import export as teach_export
from cavmae_sync.cli.commands.teach.mark import mark
from cavmae_sync.cli.commands.teach.next import next_moments
from cavmae_sync.cli.commands.teach.rank import rank
from cavmae_sync.cli.commands.teach.status import status as teach_status
from cavmae_sync.cli.commands.teach.undo import undo
from cavmae_sync.cli.hints import hint_at_dashes
from cavmae_sync.cli.interrupt import stops_are_interrupts
from cavmae_sync.cli.renamed import renamed
from cavmae_sync.cli.terminal import Terminal, accept_all_letters, readable_warnings
from cavmae_sync.errors import CavMaeSyncError, SeveralError

app = App(
    name="cavmae-sync",
    help="Learns, without labels, how vision and sound belong together in video, frame by frame.",
    version=version("cavmae-sync"),
    suppress_keyboard_interrupt=False,
)
evaluate = App(name="evaluate", help="Measure a model.")
index = App(name="index", help="Keep a library of vectors that grows with the footage, to be searched.")
teach = App(name="teach", help="Teach a library a sound or a sight by saying yes and no to moments of it.")

for _command in (
    demo,
    stage,
    prepare,
    import_cavmae,
    audit,
    pretrain,
    probe,
    classify,
    embed,
    search,
    serve,
    segment,
    localize,
    agreement,
    reconstruct,
    reproduce,
    convert,
    doctor,
    speed,
    export,
    push,
    submit,
):
    app.command(_command)
app.command(list_clips, name="list")
app.command(evaluate)
app.command(index)
for _command in (add, update, status, root, remove):
    index.command(_command)
index.command(index_export, name="export")
app.command(teach)
for _command in (mark, undo, rank):
    teach.command(_command)
teach.command(next_moments, name="next")
teach.command(teach_status, name="status")
teach.command(teach_export, name="export")
evaluate.command(evaluate_agreement, name="agreement")
evaluate.command(evaluate_localize, name="localize")
evaluate.command(retrieval)
evaluate.command(evaluate_segment, name="segment")

#: What to do about errors of the system.
_WAYS_OUT: Final = {
    errno.EACCES: "This user may not do that. Change the permissions, or name another place.",
    errno.EROFS: "Name another place.",
    errno.ENOSPC: "Free space, or name another place, and run the same command again.",
}
_INTERRUPTED: Final = (
    "interrupted; what was finished is kept, no half file is left. Run the same command again."
)


def main() -> None:
    """Run the command of this process's arguments and exit."""
    accept_all_letters()
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command. Returns the exit code."""
    with stops_are_interrupts() as exit_code, readable_warnings():
        return _run(words, exit_code)


def _run(words: list[str], exit_code: Callable[[], int]) -> int:
    messages = Terminal(stderr=True, highlight=False)
    words, advice = renamed(words)
    for line in advice:
        messages.print(line, soft_wrap=True)
    try:
        code = app(words, error_console=messages, exit_on_error=False, result_action="return_value")
    except CycloptsError:  # cyclopts has said why
        hint = hint_at_dashes(words)
        if hint is not None:
            messages.print(hint, soft_wrap=True)
        return 2
    except _expected_errors() as error:
        for each in error.errors if isinstance(error, SeveralError) else (error,):
            messages.print(f"error: {_message(each)}", style="red", soft_wrap=True)
        return 1
    except KeyboardInterrupt as stop:
        messages.print(str(stop) or _INTERRUPTED, soft_wrap=True)
        return exit_code()
    return code or 0


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors that become one line. Called only when there is one: pydantic would make --help slower."""
    from pydantic import ValidationError

    return CavMaeSyncError, ValidationError, OSError


def _message(error: Exception) -> str:
    from pydantic import ValidationError

    from cavmae_sync.config import describe_invalid

    if isinstance(error, ValidationError):
        return describe_invalid(error)
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    # An unfinished file (`cavmae_sync.atomic`) goes by the name that it would have had.
    name = re.sub(r"\.[0-9a-f]{32}\.part$", "", str(error.filename or ""))
    return " ".join(
        filter(None, [f"{name}:" if name else "", f"{error.strerror}.", _WAYS_OUT.get(error.errno or 0, "")])
    )
