"""Fixtures that this room shares with another."""

from ...embedding.conftest import model, plain_model  # noqa: F401 (fixtures)
