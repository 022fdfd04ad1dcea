"""A folder imports only from those above it, and some libraries only in one place."""

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from .package import PACKAGE, SOURCES, imports_of, module_of, name_of

LAYERS = (
    "errors",
    "paper",
    "choices",
    "checks",
    "config",
    "atomic",
    "shown",
    "untrusted",
    "compute",
    "metrics",
    "media",
    "inputs",
    "work",
    "figures",
    "data",
    "stage",
    "audit",
    "model",
    "weights",
    "losses",
    "training",
    "embedding",
    "tasks",
    "search",
    "exchange",
    "doctor",
    "recipes",
    "cli",
    "page",
)


MODULES = {module_of(source): source for source in SOURCES}


def layer_of(source: Path) -> str:
    return source.relative_to(PACKAGE).with_suffix("").parts[0]


def layers_imported(source: Path) -> set[str]:
    names = (name.split(".") for name in imports_of(source))
    return {parts[1] for parts in names if parts[0] == "cavmae_sync" and len(parts) > 1} & set(LAYERS)


def modules_imported(source: Path) -> set[str]:
    """Modules of the package that a source imports; a name from an `__init__` is its package."""
    return {name for name in imports_of(source) if name in MODULES}


def importers(module: str) -> list[str]:
    """Sources that import a module or something inside it."""
    return [
        name_of(source)
        for source in SOURCES
        if any(name == module or name.startswith(f"{module}.") for name in imports_of(source))
    ]


def test_every_part_of_the_package_has_a_layer():
    assert {layer_of(source) for source in SOURCES} - {"__init__", "__main__"} <= set(LAYERS)


@pytest.mark.parametrize("source", [s for s in SOURCES if layer_of(s) in LAYERS], ids=name_of)
def test_imports_point_upwards(source: Path):
    own = LAYERS.index(layer_of(source))
    assert {layer for layer in layers_imported(source) if LAYERS.index(layer) > own} == set()


@pytest.mark.parametrize("source", [s for s in SOURCES if layer_of(s) == "metrics"], ids=name_of)
def test_metrics_see_no_model_and_no_file(source: Path):
    assert layers_imported(source) <= {"errors", "paper", "choices", "metrics"}


@pytest.mark.parametrize("source", [s for s in SOURCES if layer_of(s) == "data"], ids=name_of)
def test_data_see_no_model(source: Path):
    assert "model" not in layers_imported(source)


def test_no_import_runs_in_a_circle():
    """Packages aside: an `__init__` gathers the names of its own modules, which may import its siblings."""
    graph = {
        name: {other for other in modules_imported(source) if MODULES[other].name != "__init__.py"}
        for name, source in MODULES.items()
        if source.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("source", [s for s in SOURCES if layer_of(s) == "tasks"], ids=name_of)
def test_no_task_imports_another(source: Path):
    own = source.relative_to(PACKAGE).parts[1]
    rooms = {name.split(".")[2] for name in modules_imported(source) if name.startswith("cavmae_sync.tasks.")}
    assert rooms - {own} <= {"report", "controls"}


def test_only_one_file_talks_to_other_processes():
    assert importers("torch.distributed") == ["training/distributed.py"]


def test_only_media_talk_to_the_decoder():
    assert {name.split("/")[0] for name in importers("av")} == {"media"}


@pytest.mark.parametrize("library", ["torchvision", "torchaudio", "timm"])
def test_libraries_that_stay_out(library: str):
    assert importers(library) == []
