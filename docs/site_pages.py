"""Sphinx extension: fills the pages made from the program (commands, configurations, names of rooms).

A page has a comment where text is to go: `<!-- commands -->`, `<!-- fields: module.Configuration -->` or
`<!-- rooms -->`. cyclopts has a Sphinx directive, but it shows the running program as the command's name, and
examples as prose.
"""

import pkgutil
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject

import cavmae_sync
from cavmae_sync import errors
from cavmae_sync.cli import app as program
from cavmae_sync.config import Config

_FIELDS = re.compile(r"^<!-- fields: ([\w.]+)\.(\w+) -->$", flags=re.MULTILINE)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Fill pages while they are read, and let docstrings show their tables as they are."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings call them
    sphinx.connect("source-read", _fill)
    sphinx.connect("autodoc-process-docstring", _keep_drawings)
    sphinx.connect("doctree-read", _mend_dashes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill(_sphinx: Sphinx, _page: str, source: list[str]) -> None:
    text = source[0]
    if "<!-- commands -->" in text:
        text = text.replace("<!-- commands -->", commands_text())
    if "<!-- rooms -->" in text:
        text = text.replace("<!-- rooms -->", rooms_text())
    source[0] = _FIELDS.sub(lambda found: fields_text(getattr(import_module(found[1]), found[2])), text)


def _keep_drawings(*event: Any) -> None:
    """Make literal blocks of drawings and tables, which a reader of the source sees as they stand."""
    lines: list[str] = event[5]
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(map(_literal_if_drawn, paragraphs)).split("\n")


def _literal_if_drawn(paragraph: str) -> str:
    rows = paragraph.splitlines()
    is_list = not rows or re.match(r"\s*[:*-]", rows[0])
    if not is_list and any(re.search(r"^\||[│├└─]|\S {2,}\S", row) for row in rows):
        return "::\n\n" + "\n".join(f"    {row}" for row in rows)
    return paragraph


def _mend_dashes(_sphinx: Sphinx, document: nodes.document) -> None:
    """Make a dash of two hyphens behind a parameter: smart quotes are off, as options begin with two."""
    for text in list(document.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" – "))


def rooms_text() -> str:
    """The exported names of every folder of the package, each name once; public ones have their own page."""
    found = [each.name for each in pkgutil.walk_packages(cavmae_sync.__path__, "cavmae_sync.") if each.ispkg]
    seen = [getattr(cavmae_sync, name) for name in cavmae_sync.__all__]
    sections = []
    for room in ["cavmae_sync.errors", *found]:
        module = import_module(room)
        names = getattr(module, "__all__", vars(module) if module is errors else ())
        values = {name: getattr(module, name) for name in names}
        known = [name for name, value in values.items() if any(value is each for each in seen)]
        seen += [value for value in values.values() if callable(value)]
        if names:
            sections.append(_room(room, excluded=known))
    return "\n".join(sections)


def _room(name: str, *, excluded: Sequence[str]) -> str:
    options = ["members:", "imported-members:"]
    options += [f"exclude-members: {', '.join(excluded)}"] if excluded else []
    rows = "\n".join(f"   :{option}" for option in options)
    return f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{rows}\n```\n"


def commands_text() -> str:
    """The help of every command in Markdown, hidden aliases left out."""
    text = program.generate_docs(flatten_commands=True, usage_name="cavmae-sync", heading_level=1)
    parts = re.split(r"^# (cavmae-sync .+)$", text, flags=re.MULTILINE)
    sections = zip(parts[1::2], parts[2::2], strict=True)
    return "\n".join(_command(name, about) for name, about in sections if "**Commands**" not in about)


def _command(name: str, about: str) -> str:
    text = about.replace("```console", "```text", 1).replace(f"{name} -m sphinx", name)
    text = re.sub(r"^Example: ((?:.+\n)+)", _example, text, flags=re.MULTILINE)
    text = text.replace(" *[default: False]*", "").replace("**Parameters**", "**Options**")
    return f"## {name}\n{text}"


def _example(found: re.Match[str]) -> str:
    return f"```sh\n{' '.join(found[1].split())}\n```\n"


def fields_text(config: type[Config], path: str = "") -> str:
    """The fields of a configuration as a list in Markdown, then those of the configurations inside it."""
    own, inner = [], []
    for name, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        about = " ".join((field.description or "").split())
        if isinstance(default, Config):
            inner.append(f"### {path}{name}\n\n{about}\n\n{fields_text(type(default), f'{path}{name}.')}")
        else:
            own.append(f"`{path}{name}={_value(default)}`\n: *{_kind(field.annotation)}.* {about}\n")
    return "\n".join([*own, *inner])


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(_value, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _kind(annotation: Any) -> str:
    """A type in the words of the page: `whole number or none`, `cosine, multistep or constant`."""
    if hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(annotation))
    parts = [each for each in get_args(annotation) if each is not ...]
    if get_origin(annotation) in {tuple, list}:
        return "list of " + _kind(parts[0])
    if parts:
        return " or ".join(map(_kind, parts))
    words = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "none"}
    return words.get(annotation) or getattr(annotation, "__name__", str(annotation))
