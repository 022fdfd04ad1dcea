"""Whose names tensors have in a file, and what they are called here."""
