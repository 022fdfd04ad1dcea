"""Every command in the documentation, and every example of --help, is one that the program understands."""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App, CycloptsError

from cavmae_sync.cli import app

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md")))


def shell_lines(text: str) -> Iterator[str]:
    """Lines of the ```sh blocks, those ending in a backslash joined with the next."""
    inside = False
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside:
            yield line


def commands(page: Path) -> Iterator[list[str]]:
    """The words behind each `cavmae-sync`; several commands of one line are told apart by shell signs."""
    for line in shell_lines(page.read_text("utf-8")):
        words = shlex.split(line, comments=True)
        while "cavmae-sync" in words:
            words = words[words.index("cavmae-sync") + 1 :]
            ends = [i for i, word in enumerate(words) if word in {"&", "&&", "|", ";", ">", "2>", "||"}]
            yield words[: ends[0]] if ends else words


CASES = [(page, words) for page in PAGES for words in commands(page)]


def every_command(group: App, names: tuple[str, ...] = ()) -> Iterator[tuple[str, App]]:
    """All commands with their full names."""
    for name in group:
        if not name.startswith("-"):
            found, chain = group[name], (*names, name)
            is_group = found.default_command is None
            yield from every_command(found, chain) if is_group else [(" ".join(chain), found)]


EXAMPLES = dict(every_command(app))
#: Options of every command, of ruff and of the benchmarks, which pages name too.
OF_OTHERS = {"--help", "--check", "--quick", "--threads", "--write-docs"}


def complaint(words: list[str]) -> str | None:
    """What the program says against a command; None where it understands it."""
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return str(error)
    return None


def test_every_command_of_the_pages_can_be_typed_as_it_stands():
    """By its name of today: old names work too, and have no place in the documentation."""
    assert len(CASES) > 20
    found = [(page.name, " ".join(words), complaint(words)) for page, words in CASES]
    assert [case for case in found if case[2] is not None] == []


def test_every_option_that_a_sentence_names_exists():
    known = {
        name
        for command in EXAMPLES.values()
        for each in command.assemble_argument_collection()
        for name in each.names
    }
    named = {
        (page.name, option)
        for page in PAGES
        for option in re.findall(r"`(?:[\w ]*\s)?(--[a-z][\w-]*)", page.read_text("utf-8"))
    }
    assert [(page, option) for page, option in sorted(named) if option not in known | OF_OTHERS] == []


def test_every_help_has_an_example_that_works_as_pasted():
    for name, command in EXAMPLES.items():
        paragraphs = inspect.cleandoc(command.default_command.__doc__).split("\n\n")
        examples = [" ".join(text.split()) for text in paragraphs if text.startswith("Example: ")]
        assert examples, f"{name} --help has no example"
        for example in examples:
            words = shlex.split(example.removeprefix("Example: cavmae-sync "))
            assert words[: len(name.split())] == name.split()
            assert complaint(words) is None, example
