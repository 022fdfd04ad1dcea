"""Studies of accuracy: how thresholds were found and what checks detect. Each is run by itself."""
