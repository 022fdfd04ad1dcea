"""Sizes, prints and docstrings."""

import ast
from pathlib import Path

import pytest

from .package import SOURCES, name_of, tree_of

every_source = pytest.mark.parametrize("source", SOURCES, ids=name_of)


@every_source
def test_a_file_has_at_most_400_lines(source: Path):
    assert len(source.read_text("utf-8").splitlines()) <= 400


@every_source
def test_a_function_has_at_most_60_lines_without_its_docstring(source: Path):
    too_long = {}
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = ast.get_docstring(node) is not None
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            if node.end_lineno - node.lineno + 1 - docstring > 60:
                too_long[node.name] = node.end_lineno - node.lineno + 1
    assert too_long == {}


@every_source
def test_only_the_command_line_prints(source: Path):
    prints = [
        node.lineno
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == [] or name_of(source).startswith("cli/")


@every_source
def test_nothing_seeds_a_global_generator(source: Path):
    calls = {ast.unparse(node.func) for node in ast.walk(tree_of(source)) if isinstance(node, ast.Call)}
    assert calls & {"torch.manual_seed", "random.seed", "np.random.seed", "numpy.random.seed"} == set()


@every_source
def test_a_module_says_what_it_is(source: Path):
    assert ast.get_docstring(tree_of(source))
