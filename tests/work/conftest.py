"""Fixtures that this room shares with another."""

from ..data.conftest import contents, videos  # noqa: F401 (fixtures)
