"""Fixtures that this room shares with another."""

from ...embedding.conftest import clips, model  # noqa: F401 (fixtures)
