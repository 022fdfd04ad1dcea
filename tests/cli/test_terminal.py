"""Names of files cannot steer the terminal, forge lines or break the program, whatever prints them."""

import io
import json
import warnings
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_lines, readable_warnings

#: A forged message, escape sequences, markup that closes nothing, an emoji code, the other direction.
EVIL = "a\nerror: forged\x1b[2J\x9b31m[/b][red]x:smile:\u202e.mp4"
SAFE = "a\\nerror: forged\\u001b[2J\\u009b31m[/b][red]x:smile:\\u202e.mp4"


def terminal(**settings) -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    return Terminal(file=file, width=200, **settings), file


def test_strings_are_one_line_in_lines_tables_titles_and_captions():
    console, file = terminal()
    table = Table(EVIL, title=EVIL, caption=EVIL)
    table.add_row(EVIL)
    console.print(EVIL, soft_wrap=True)
    console.print(table)
    said = file.getvalue()
    assert said.count(SAFE) == 5
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)
    assert all(not line.startswith("error:") for line in said.split("\n"))


def test_our_own_colours_stay_and_texts_of_other_libraries_are_safe_too():
    console, file = terminal(force_terminal=True, color_system="standard")
    console.print(Text("red", style="red"), Text("\x1b]0;title"))
    assert file.getvalue() == "\x1b[31mred\x1b[0m \\u001b]0;title\n"


def test_a_progress_display_shows_names_as_they_are(capsys):
    with show_progress(EVIL) as advance:
        advance(1, 1, EVIL)
    said = capsys.readouterr().err
    assert said.count(SAFE) == 2
    assert said.count("\n") == 1
    console, file = terminal(force_terminal=True)
    with Progress(console=console) as progress:
        progress.add_task("\x1b]0;title\x07", total=1)
    assert "\x1b]0;" not in file.getvalue()


def test_warnings_are_one_line():
    with readable_warnings():
        shown = warnings.formatwarning(UserWarning(EVIL), UserWarning, "x.py", 1)
    assert shown == f"warning: {SAFE}\n"
    assert warnings.formatwarning("x", UserWarning, "x.py", 1) != "warning: x\n"


def test_json_is_json(capsys):
    print_lines(json.dumps({"name": EVIL}, indent=2, ensure_ascii=False))
    said = capsys.readouterr().out
    assert json.loads(said) == {"name": EVIL}
    assert said.count("\n") == 3
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)


@pytest.mark.parametrize("name", [EVIL, "q[/b]w.safetensors", "x\udcff.safetensors", "$\\frac.safetensors"])
def test_commands_say_what_is_wrong_with_a_file_of_any_name_in_one_line(cli, tmp_path: Path, name: str):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    out = tmp_path / "x.safetensors"
    for words in (("doctor", path), ("convert", path, "--out", out), ("segment", path, path)):
        ran = cli(*words)
        assert (ran.code, ran.err.count("\n"), ran.err[:7]) == (1, 1, "error: "), ran.err
    ran = cli(name, name)
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert "forged" not in ran.err or "\nerror: forged" not in ran.err


def test_a_wrong_option_with_markup_is_shown(cli):
    ran = cli("prepare", "x", "--out", "y", "--num-workers", "[/b]\x1b[2J")
    assert ran.code == 2
    assert "[/b]\\u001b[2J" in ran.err.replace("\n", "")


def test_prepare_tells_of_files_of_any_name(cli, tmp_path: Path):
    path = tmp_path / "in" / EVIL
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no video")
    ran = cli("prepare", tmp_path / "in", "--out", tmp_path / "out", "--num-workers", "0")
    assert ran.code == 1
    assert "\nerror: forged" not in ran.out + ran.err
    assert "\x1b" not in ran.out + ran.err
