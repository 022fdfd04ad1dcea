"""Everything once, small: clips, training, measures, one page."""
