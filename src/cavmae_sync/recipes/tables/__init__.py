"""The paper's tables and our own: rows, trained and measured one by one, and what they say of claims.

- `table_spec`: what a table is made of. `paper_tables`: `TABLES`, each with its rows and published numbers;
  `own_tables`: those that go beyond the paper; `controls`: the untrained models beside their rows.
- `reproduce`: `TableRun`, which trains and measures what is missing; `table_result`: its settings and cells.
- `cells`: the measurements of one model; `stage_cells`: those that need the truth of generated clips.
- `datasets`: the datasets that all rows share. `budget`: how many steps cost as much as the base's.
- `plan`: the commands that a table stands for. `text`: a result as text, JSON or figure.
- `claims`: what the paper says; `judgement`: whether it holds for what was measured. `page`: a stored table
  as a part of a page.
"""
