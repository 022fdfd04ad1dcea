"""The paper's tables: their rows, trained and measured one by one, and the result in the form of the paper.

- `paper_tables`: `TABLES`, each with its rows and published numbers.
- `reproduce`: `TableRun`, which trains and measures what is missing.
- `cells`: the measurements of one model. `datasets`: the datasets that all rows share.
- `plan`: the commands that a table stands for. `text`: a result as text, JSON or figure.
"""
