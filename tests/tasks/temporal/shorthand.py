"""Spans as short texts."""

from cavmae_sync.tasks.temporal.spans import StateSpans


def text(states: StateSpans) -> str:
    """`0-1A 1-3B` for two spans."""
    return " ".join(f"{s.start_seconds:g}-{s.stop_seconds:g}{s.name}" for s in states)
