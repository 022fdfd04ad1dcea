"""Benchmarks: ratios to textbook versions, all measured in one run on this machine: `python -m benchmarks`.

- `parts/`: what is measured, one file for each kind of work. `catalog` lists the parts.
- `textbook/`: the same mathematics in its plainest form, which the ratios refer to.
- `part`: parts, variants and settings. `runner` measures a part, each variant in a `process` of its own.
- `result`: samples and the numbers that follow from them. `table`, `cost_figure`: tables, figure of cost.
- `machine`: facts about the machine, and what else runs on it. `footage`, `models`: inputs that parts share.
"""
