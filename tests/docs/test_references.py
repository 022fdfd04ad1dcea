"""What the documents point at exists: tests, fields of configurations, files."""

import ast
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from cavmae_sync.data import PrepareConfig
from cavmae_sync.training import PretrainConfig

from ..house.package import PACKAGE

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DOCUMENTS = sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("*.md"))

TEST = re.compile(r"`([\w/]+\.py)::((?:\w+::)?test_\w+)`")
FIELD = re.compile(r"`((?:model|masking|losses|augment|optim|loop)(?:\.\w+)+)(?:=[^`]*)?`")
PREPARE_FIELD = re.compile(r"`PrepareConfig\.(\w+)(?:=[^`]*)?`")
SOURCE = re.compile(
    r"`((?:media|inputs|data|model|losses|training|embedding|metrics|evaluation|recipes|cli)/[\w/]+\.py)`"
)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def names_of_tests(path: Path) -> set[str]:
    """Names as the documents write them: `test_x`, or `TestGroup::test_x`."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{child.name}" for child in node.body if isinstance(child, ast.FunctionDef)
            }
    return found


def has_field(config: BaseModel, path: str) -> bool:
    for name in path.split("."):
        if name not in type(config).model_fields:
            return False
        config = getattr(config, name)
    return True


@every_document
def test_tests_that_are_named_exist(document: Path):
    named = TEST.findall(document.read_text("utf-8"))
    assert [f"{file}::{name}" for file, name in named if not (TESTS / file).is_file()] == []
    assert [f"{file}::{name}" for file, name in named if name not in names_of_tests(TESTS / file)] == []


@every_document
def test_fields_that_are_named_exist(document: Path):
    text = document.read_text("utf-8")
    assert [path for path in FIELD.findall(text) if not has_field(PretrainConfig(), path)] == []
    assert [name for name in PREPARE_FIELD.findall(text) if name not in PrepareConfig.model_fields] == []


@every_document
def test_sources_that_are_named_exist(document: Path):
    """Those in backticks and without a test's name behind them."""
    named = SOURCE.findall(document.read_text("utf-8"))
    assert [name for name in named if not (PACKAGE / name).is_file()] == []


@every_document
def test_files_that_are_linked_exist(document: Path):
    links = LINK.findall(document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
