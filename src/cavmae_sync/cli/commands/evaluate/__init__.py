"""The commands behind `cavmae-sync evaluate`: each measures what the command of its name shows."""
