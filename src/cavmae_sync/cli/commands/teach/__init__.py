"""The commands of `cavmae-sync teach`: yes and no on moments of a library, until it knows what is meant."""
