"""Reference of the service as one page, from its own description (OpenAPI); nothing is from elsewhere."""

import html
from collections.abc import Mapping
from typing import Any


def reference_page(description: Mapping[str, Any]) -> str:
    """HTML of all addresses, with their parameters.

    Args:
        description: OpenAPI, as `/openapi.json` gives it.
    """
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{html.escape(description['info']['title'])}</title>",
        f"<h1>{html.escape(description['info']['title'])}</h1>",
        f"<p>{html.escape(description['info'].get('description', ''))}</p>",
        "<p>The same for programs: <a href='/openapi.json'>/openapi.json</a></p>",
    ]
    for address, methods in description["paths"].items():
        for method, about in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(address)}</code></h2>")
            parts.append(f"<p>{html.escape(about.get('description') or about.get('summary', ''))}</p>")
            parts.append(_parameters(about, description))
    return "\n".join(parts)


def _parameters(about: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    rows = [
        (each["name"], each["in"], each.get("schema", {}), each.get("description", ""))
        for each in about.get("parameters", ())
    ]
    for kind, body in about.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(body.get("schema", {}), description)
        rows += [
            (name, kind, each, each.get("description", ""))
            for name, each in schema.get("properties", {}).items()
        ]
    if not rows:
        return ""
    lines = [
        f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(where)}<td>{html.escape(_kind(schema))}"
        f"<td>{html.escape(text)}"
        for name, where, schema, text in rows
    ]
    return f"<table><tr><th>name<th>in<th>kind<th>meaning{''.join(lines)}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    return str(schema.get("format") or schema.get("type") or "")


def _resolved(schema: Mapping[str, Any], description: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    found: Any = schema
    if reference.startswith("#/"):
        found = description
        for part in reference[2:].split("/"):
            found = found[part]
    return found
