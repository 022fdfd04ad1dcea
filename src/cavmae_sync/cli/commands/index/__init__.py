"""The commands of `cavmae-sync index`: a library that grows with the footage."""
