"""Names of strangers as they are shown."""

import json
import unicodedata

import pytest
from rich.console import Console
from rich.table import Table

from cavmae_sync.safe_text import escape_line, escape_lines, table_title


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("Grüße 猫 한국 كلب.mp4", "Grüße 猫 한국 كلب.mp4"),
        ("全角\u3000と\xa0NBSP", "全角\u3000と\xa0NBSP"),
        ("می\u200cخواهم 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀"),
        ("a\nerror: forged", "a\\nerror: forged"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x1b[31mred\x1b[0m\x07", "\\u001b[31mred\\u001b[0m\\u0007"),
        ("c1 \x9b31m \x85", "c1 \\u009b31m \\u0085"),
        ("evil\u202e4pm.exe", "evil\\u202e4pm.exe"),
        ("\u2066x\u2069 \ufeff \u200b", "\\u2066x\\u2069 \\ufeff \\u200b"),
        ("lines\u2028and\u2029paragraphs", "lines\\u2028and\\u2029paragraphs"),
        (b"\xff\xfe.mp4".decode("utf-8", "surrogateescape"), "\\udcff\\udcfe.mp4"),
        ("tag\U000e0041", "tag\\udb40\\udc41"),
    ],
)
def test_what_is_not_seen_is_written_out(name: str, shown: str):
    assert escape_line(name) == shown


def test_no_character_that_steers_or_hides_comes_through():
    text = escape_line("".join(map(chr, range(0x110000))))
    kept = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert kept == {"\u200c", "\u200d"}


def test_json_keeps_its_meaning():
    content = {"file": "a\x1b[2J\n\x9b\u202e\udcff\U000e0041 é 猫", "more": ["\x7f"]}
    text = escape_lines(json.dumps(content, indent=2, ensure_ascii=False))
    assert json.loads(text) == content
    assert len(text.split("\n")) == 6


def test_a_table_of_the_library_shows_names_as_they_are_on_any_console(capsys):
    table = Table(title=table_title("q[/b]w", "second"), min_width=20)
    table.add_column("x")
    table.add_row("y")
    Console(width=40).print(table)
    assert "q[/b]w" in capsys.readouterr().out
