"""Fixtures that this room shares with another."""

from ..tasks.conftest import clips, embedder  # noqa: F401 (fixtures)
