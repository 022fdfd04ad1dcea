"""Code that may run on an accelerator says where it makes tensors."""

import ast
from pathlib import Path

import pytest

from .package import SOURCES, name_of, tree_of

MAKERS = frozenset({"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros"})

#: Beginnings of paths whose tensors are those of a model, on its device.
ON_DEVICE = (
    "model/",
    "losses/",
    "training/",
    "weights/",
    "tasks/classification/head_",
    "tasks/classification/weight_",
)

#: Made on the CPU on purpose: parameters before they are moved, tables of numbers, what files hold.
ON_CPU = {
    "model/decoder.py": "parameters",
    "model/encoder.py": "parameters",
    "model/heads.py": "parameters",
    "model/positions.py": "a table in float64, registered as a buffer",
    "weights/layouts/mae.py": "weights of a file",
    "weights/torch_files.py": "weights of a file",
    "tasks/classification/weight_averaging.py": "sums in float64",
    "training/pretrain.py": "a row of the log in float64",
    "training/validation.py": "rows of the log in float64",
}


def makes_without_device(source: Path) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "torch"
        and node.func.attr in MAKERS
        and not any(word.arg == "device" for word in node.keywords)
        for node in ast.walk(tree_of(source))
    )


@pytest.mark.parametrize("source", [s for s in SOURCES if name_of(s).startswith(ON_DEVICE)], ids=name_of)
def test_tensors_are_made_on_the_device_or_on_the_cpu_for_a_reason(source: Path):
    assert makes_without_device(source) == (name_of(source) in ON_CPU)
