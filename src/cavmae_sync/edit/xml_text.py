"""XML that is written: elements in order, indented, with the text of one line that XML can hold."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cavmae_sync.edit.names import one_line


def add(parent: Element, tag: str, text: object = None, **attributes: object) -> Element:
    """Add an element to another, with its text and attributes; attributes of None are left out.

    Args:
        parent: Element that it goes into.
        tag: Its name.
        text: Its text, made safe.
        attributes: Its attributes, made safe.
    """
    kept = {name: one_line(str(value)) for name, value in attributes.items() if value is not None}
    element = SubElement(parent, tag, kept)
    if text is not None:
        element.text = one_line(str(text))
    return element


def document(root: Element, doctype: str) -> bytes:
    """File of a root element and the name of its kind, UTF-8."""
    indent(root, "  ")
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE {doctype}>\n'
    return head.encode() + tostring(root, encoding="utf-8") + b"\n"
