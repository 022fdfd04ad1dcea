"""JSON, CSV and pictures of strangers are read in one place, which knows how they can be wrong."""

import re
from pathlib import Path

import pytest

from .package import SOURCES, name_of

_READS = re.compile(
    r"json\.loads?\(|csv\.DictReader\(|Image\.open\(|pq\.read_table\(|yaml\.load|pickle\.load"
)
#: Another reader of one of these, which tells its faults itself.
ALLOWED = {"untrusted.py", "data/preparing/sources.py"}


@pytest.mark.parametrize("source", [s for s in SOURCES if name_of(s) not in ALLOWED], ids=name_of)
def test_only_one_place_reads_what_strangers_wrote(source: Path):
    lines = source.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if _READS.search(line)] == [], "use cavmae_sync/untrusted.py"
