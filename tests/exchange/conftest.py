"""Fixtures that this room shares with another."""

from ..embedding.conftest import model  # noqa: F401 (fixtures)
