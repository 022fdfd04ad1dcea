"""Every constant of the method says, directly above it, where it comes from."""

import ast
import re

from .package import PACKAGE, tree_of

PAPER = PACKAGE / "paper.py"
LINES = PAPER.read_text("utf-8").splitlines()
CONSTANTS = [node for node in tree_of(PAPER).body if isinstance(node, ast.AnnAssign)]
CITED = re.compile(r"^#: .+\[(paper|code|weights|dev|imagenet): .+\]$")


def test_constants_are_cited_upper_case_and_final():
    assert len(CONSTANTS) > 50
    for constant in CONSTANTS:
        name = ast.unparse(constant.target)
        assert CITED.match(LINES[constant.lineno - 2]), name
        assert name.isupper(), name
        assert ast.unparse(constant.annotation).startswith("Final"), name


def test_there_is_nothing_else_in_the_file():
    other = [
        type(node).__name__
        for node in tree_of(PAPER).body[1:]
        if not isinstance(node, ast.AnnAssign | ast.ImportFrom | ast.Import)
    ]
    assert other == []
