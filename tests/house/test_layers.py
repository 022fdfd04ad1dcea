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
    "safe_text",
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
    "maps",
    "tasks",
    "search",
    "edit",
    "teaching",
    "exchange",
    "doctor",
    "recipes",
    "page",
    "cli",
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


def test_no_import_points_to_a_later_room():
    found = [
        f"{name_of(source)} imports {layer}"
        for source in SOURCES
        if layer_of(source) in LAYERS
        for layer in layers_imported(source)
        if LAYERS.index(layer) > LAYERS.index(layer_of(source))
    ]
    assert found == []


def test_metrics_see_no_model_and_no_file():
    imported = {
        layer for source in SOURCES if layer_of(source) == "metrics" for layer in layers_imported(source)
    }
    assert imported <= {"errors", "paper", "choices", "metrics"}


def test_no_import_runs_in_a_circle():
    """Packages aside: an `__init__` gathers the names of its own modules, which may import its siblings."""
    graph = {
        name: {other for other in modules_imported(source) if MODULES[other].name != "__init__.py"}
        for name, source in MODULES.items()
        if source.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_task_imports_another():
    found = []
    for source in SOURCES:
        if layer_of(source) == "tasks":
            others = (MODULES[name].relative_to(PACKAGE).parts for name in modules_imported(source))
            tasks = {parts[1] for parts in others if parts[0] == "tasks" and len(parts) > 2}
            own = source.relative_to(PACKAGE).parts[1]
            found += [f"{name_of(source)} imports tasks/{task}" for task in sorted(tasks - {own})]
    assert found == []


def test_only_one_file_talks_to_other_processes():
    assert importers("torch.distributed") == ["training/distributed.py", "training/sharding.py"]


def test_only_media_talk_to_the_decoder():
    assert {name.split("/")[0] for name in importers("av")} == {"media"}


@pytest.mark.parametrize("library", ["torchvision", "torchaudio", "timm"])
def test_libraries_that_stay_out(library: str):
    assert importers(library) == []
