"""Every command in the documentation, and every example of --help, is one that the program understands."""

import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from cavmae_sync.cli import app
from cavmae_sync.cli.renamed import renamed

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


def test_there_are_commands_to_check():
    assert len(CASES) > 20


@pytest.mark.parametrize(("page", "words"), CASES, ids=[f"{page.name}: {' '.join(w)}" for page, w in CASES])
def test_it_can_be_typed_as_it_stands(page: Path, words: list[str]):
    app.parse_args(renamed(words)[0], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_has_an_example_that_works_as_pasted(name: str):
    paragraphs = inspect.cleandoc(EXAMPLES[name].default_command.__doc__).split("\n\n")
    examples = [" ".join(text.split()) for text in paragraphs if text.startswith("Example: ")]
    assert examples, f"{name} --help has no example"
    for example in examples:
        words = shlex.split(example.removeprefix("Example: cavmae-sync "))
        assert words[: len(name.split())] == name.split()
        app.parse_args(words, exit_on_error=False, print_error=False)
