"""What the documents point at exists: tests, fields of configurations, sources, functions, pages."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pydantic import BaseModel

import cavmae_sync
from cavmae_sync.data import PrepareConfig
from cavmae_sync.training import PretrainConfig

from ..house.package import PACKAGE, SOURCES

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DOCUMENTS = sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md"))
ROOMS = "|".join(path.name for path in PACKAGE.iterdir() if path.is_dir())

TEST = re.compile(r"`(?:tests/)?([\w/]+\.py)::((?:\w+::)?test_\w+)`")
FIELD = re.compile(r"`((?:model|masking|losses|augment|optim|loop)(?:\.(?!safetensors)\w+)+)(?:=[^`]*)?`")
PREPARE_FIELD = re.compile(r"`PrepareConfig\.(\w+)(?:=[^`]*)?`")
SOURCE = re.compile(rf"`((?:{ROOMS})/[\w/]+\.py)`")
TEST_FILE = re.compile(r"`(tests/[\w/]+\.py)`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
#: `room.name` or `room.module.name`, as "How it works" names the stations.
NAME = re.compile(rf"`((?:{ROOMS})(?:\.(?!jsonl)\w+)+)(?:\([^`]*\))?`")


def found_in_documents(pattern: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    for document in DOCUMENTS:
        for match in pattern.finditer(document.read_text("utf-8")):
            yield document, match


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


def exists(name: str) -> bool:
    """Whether `cavmae_sync.` and a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(["cavmae_sync", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


def test_tests_that_are_named_exist():
    known = {file: names_of_tests(TESTS / file) for file in {m[1] for _, m in found_in_documents(TEST)}}
    assert [match[0] for _, match in found_in_documents(TEST) if match[2] not in known[match[1]]] == []


def test_fields_that_are_named_exist():
    page = "how-it-works.md"  # its dotted names are those of functions
    pretraining = {match[1] for document, match in found_in_documents(FIELD) if document.name != page}
    assert [path for path in sorted(pretraining) if not has_field(PretrainConfig(), path)] == []
    prepare = {match[1] for _, match in found_in_documents(PREPARE_FIELD)}
    assert prepare <= set(PrepareConfig.model_fields)


def test_sources_and_files_of_tests_that_are_named_exist():
    """Those in backticks and without a test's name behind them."""
    named = [(document.name, PACKAGE / match[1]) for document, match in found_in_documents(SOURCE)]
    named += [(document.name, ROOT / match[1]) for document, match in found_in_documents(TEST_FILE)]
    assert [(page, str(path)) for page, path in named if not path.is_file()] == []


def test_files_that_are_linked_exist():
    links = [(document, match[1]) for document, match in found_in_documents(LINK)]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_pages_link_to_pages_of_the_site_only():
    """Sphinx knows no page outside docs, and the build of the site fails on such a link."""
    links = [(page, match[1]) for page, match in found_in_documents(LINK) if page.parent.name == "docs"]
    assert [(page.name, link) for page, link in links if re.match(r"\.\./.*\.md$", link)] == []


def test_functions_of_the_walks_exist():
    page = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
    named = {match[1] for match in NAME.finditer(page)}
    assert len(named) > 30
    assert [name for name in sorted(named) if not exists(name)] == []


def test_every_room_is_described():
    page = (ROOT / "docs" / "how-it-works.md").read_text("utf-8").split("## The rooms")[1].split("## Walk")[0]
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix != ".typed" and path.name[0] != "_"}
    assert [room for room in sorted(rooms) if f"`{room}`" not in page] == []


def test_every_public_name_is_promised():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## What is public")[1].split(";")[0]
    assert re.findall(r"`(\w+)`", text)[1:] == cavmae_sync.__all__


def test_every_page_says_for_whom_it_is():
    pages = [page for page in sorted(ROOT.glob("docs/**/*.md")) if page.name != "contributing.md"]
    assert [page.name for page in pages if "\n\nThis page is for " not in page.read_text("utf-8")[:200]] == []


def test_pages_that_the_code_names_exist():
    named = {
        (path.name, page)
        for path in (*SOURCES, *ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tests/**/*.py"))
        for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text("utf-8"))
    }
    assert [(file, page) for file, page in sorted(named) if not (ROOT / page).is_file()] == []
