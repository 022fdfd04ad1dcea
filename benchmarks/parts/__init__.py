"""The parts, one file for each kind of work."""
