"""Folders of videos -> prepared dataset -> batches."""
