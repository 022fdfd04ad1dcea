"""Rules that every source of the package obeys. Each test names all places that break its rule."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .package import SOURCES, imports_of, name_of, tree_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_COMMAND_LINES = 80

VAGUE_BEGINNINGS = {
    "Of",
    "That",
    "There",
    "Who",
    "Whose",
    "Which",
    "It",
    "So",
    "This",
    "These",
    "Those",
    "Here",
}

#: Everything that is printed passes through one file, which makes names of strangers safe.
TERMINAL = "cli/terminal.py"
PRINTS = re.compile(r"(?<![\w.>\"])print\(|sys\.std(?:out|err)\.write|rich\.print")

#: JSON, CSV and images of strangers are read in one file, which knows how they can be wrong.
UNTRUSTED = "untrusted.py"
READS = re.compile(r"json\.loads?\(|csv\.DictReader\(|Image\.open\(|pq\.read_table\(|yaml\.load|pickle\.load")
#: Another reader of one of these, which tells its faults itself.
READS_ALONE = {UNTRUSTED, "data/preparing/sources.py"}

GLOBAL_SEEDS = {"torch.manual_seed", "random.seed", "np.random.seed", "numpy.random.seed"}

MAKERS = {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros"}
#: Beginnings of paths whose tensors are those of a model, on its device.
ON_DEVICE = (
    "model/",
    "losses/",
    "training/",
    "weights/",
    "tasks/classification/head_",
)
#: Made on the CPU on purpose: parameters before they are moved, tables of numbers, what files hold.
ON_CPU = {
    "model/decoder.py": "parameters",
    "model/encoder.py": "parameters",
    "model/heads.py": "parameters",
    "model/positions.py": "a table in float64, registered as a buffer",
    "weights/layouts/mae.py": "weights of a file",
    "weights/torch_file.py": "weights of a file",
    "training/checkpoints.py": "a copy in the memory of the host",
    "training/step_rows.py": "a row of the log in float64",
    "training/validation.py": "rows of the log in float64",
}


def cell_text(source: Path) -> str:
    return source.read_text("utf-8")


def functions_of(source: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def num_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, *, with_docstring: bool) -> int:
    first = node.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return node.end_lineno - node.lineno + 1 - (0 if with_docstring else docstring)


def calls_of(source: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(source)) if isinstance(node, ast.Call))


def makes_tensors_without_device(source: Path) -> bool:
    return any(
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "torch"
        and call.func.attr in MAKERS
        and not any(word.arg == "device" for word in call.keywords)
        for call in calls_of(source)
    )


def test_there_are_sources():
    assert len(SOURCES) > 300


def test_files_are_short():
    lengths = {name_of(source): len(cell_text(source).splitlines()) for source in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short():
    too_long = [
        f"{name_of(source)}: {node.name}"
        for source in SOURCES
        for node in functions_of(source)
        if num_lines(node, with_docstring=False) > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_commands_are_thin():
    """With their docstring, which is the text of --help."""
    too_long = [
        f"{name_of(source)}: {node.name}"
        for source in SOURCES
        if name_of(source).startswith("cli/")
        for node in functions_of(source)
        if num_lines(node, with_docstring=True) > MAX_COMMAND_LINES
    ]
    assert too_long == []


def test_modules_say_what_they_are():
    assert [name_of(source) for source in SOURCES if not ast.get_docstring(tree_of(source))] == []


def test_docstrings_begin_with_the_noun_or_the_verb():
    """A reader sees the first line in a tooltip: "Of it." tells nothing there."""
    found = [
        f"{name_of(source)}: {docstring.splitlines()[0]}"
        for source in SOURCES
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and (docstring := ast.get_docstring(node)) is not None
        and docstring.split(maxsplit=1)[0] in VAGUE_BEGINNINGS
    ]
    assert found == []


def test_only_the_terminal_prints():
    found = []
    for source in SOURCES:
        if name_of(source) == TERMINAL:
            continue
        lines = [line for line in cell_text(source).splitlines() if ">>>" not in line and PRINTS.search(line)]
        found += [f"{name_of(source)}: {line.strip()}" for line in lines]
        if "rich.console" in imports_of(source):
            found.append(f"{name_of(source)}: imports rich.console")
    assert found == [], "use cli/terminal.py"


def test_only_one_file_reads_what_strangers_wrote():
    found = [
        f"{name_of(source)}: {line.strip()}"
        for source in SOURCES
        if name_of(source) not in READS_ALONE
        for line in cell_text(source).splitlines()
        if READS.search(line)
    ]
    assert found == [], "use cavmae_sync/untrusted.py"


def test_nothing_seeds_a_global_generator():
    found = [
        f"{name_of(source)}:{call.lineno}"
        for source in SOURCES
        for call in calls_of(source)
        if ast.unparse(call.func) in GLOBAL_SEEDS
    ]
    assert found == []


def test_tensors_are_made_on_the_device_or_on_the_cpu_for_a_reason():
    made_on_cpu = {
        name_of(source)
        for source in SOURCES
        if name_of(source).startswith(ON_DEVICE) and makes_tensors_without_device(source)
    }
    assert made_on_cpu == set(ON_CPU)
