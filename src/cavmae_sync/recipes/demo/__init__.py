"""The demo: everything once and small, in minutes.

- `config`: what a demo is made of.
- `run`: clips, datasets, training and measuring; a later start continues them.
- `time_budget`: how the promised minutes are kept.
- `report`: the page at the end, with its sentences in `page_text`.
"""
