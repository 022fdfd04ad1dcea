"""Every constant of the method says, directly above it, where it comes from."""

import ast
import re

import pytest

from .package import PACKAGE, tree_of

PAPER = PACKAGE / "paper.py"
LINES = PAPER.read_text("utf-8").splitlines()
CONSTANTS = [node for node in tree_of(PAPER).body if isinstance(node, ast.AnnAssign)]
CITED = re.compile(r"^#: .+\[(paper|code|weights|dev|imagenet): .+\]$")


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda node: node.target.id)
def test_a_constant_is_cited_upper_case_and_final(constant: ast.AnnAssign):
    assert CITED.match(LINES[constant.lineno - 2])
    assert constant.target.id.isupper()
    assert ast.unparse(constant.annotation).startswith("Final")


def test_there_is_nothing_else_in_the_file():
    other = [
        type(node).__name__
        for node in tree_of(PAPER).body[1:]
        if not isinstance(node, ast.AnnAssign | ast.ImportFrom | ast.Import)
    ]
    assert other == []
