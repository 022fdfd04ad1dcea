"""The source of the package, read as text and as syntax: what tests of the house rules look at."""

import ast
from functools import cache
from pathlib import Path

import cavmae_sync

PACKAGE = Path(cavmae_sync.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


def name_of(source: Path) -> str:
    """A source as messages name it: `model/block.py`."""
    return source.relative_to(PACKAGE).as_posix()


@cache
def tree_of(source: Path) -> ast.Module:
    """The syntax tree of a source."""
    return ast.parse(source.read_text("utf-8"))


def imports_of(source: Path) -> set[str]:
    """Dotted names of all modules that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(source: Path) -> str:
    """The dotted name under which a source is imported."""
    parts = source.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
