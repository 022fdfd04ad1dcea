"""How fast everything is on the machine at hand, as ratios measured in one run: `python -m benchmarks`."""
