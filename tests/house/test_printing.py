"""Everything that is printed passes through `cli/terminal.py`, which makes names of strangers safe."""

import re
from pathlib import Path

import pytest

from .package import SOURCES, imports_of, name_of

ONE_PLACE = "cli/terminal.py"
_PRINTS = re.compile(r"(?<![\w.>\"])print\(|sys\.std(?:out|err)\.write|rich\.print")


@pytest.mark.parametrize("source", [s for s in SOURCES if not name_of(s).endswith(ONE_PLACE)], ids=name_of)
def test_only_the_terminal_prints(source: Path):
    code = [line for line in source.read_text(encoding="utf-8").splitlines() if ">>>" not in line]
    assert [line for line in code if _PRINTS.search(line)] == [], "use cli/terminal.py"
    assert "rich.console" not in imports_of(source), "use Terminal of cli/terminal.py"
