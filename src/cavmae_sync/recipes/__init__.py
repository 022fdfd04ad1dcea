"""Named recipes in; trained models, tables and reports out.

- `pretraining`: the recipes of pretraining, one function each: `sync_base`, its ablations, CAV-MAE, `debug`.
- `sync_plus`: recipes beyond the paper, part by part, and TG-DP's.
- `run`: `run_pretraining` and `continue_pretraining`, which turn a recipe and datasets into a run.
- `run_retrieval`: retrieval among held-out clips while a run trains, shared out over its processes.
- `many_runs`: several runs side by side, one process and one thread each.
- `probing`: the recipes of probing and fine-tuning.
- `proven_stage`: the proof that no rule of a few lines solves a stage.
- `stage_twin`: the small twin of a recipe, for two cores and generated clips.
- `tables/`: the paper's tables, trained and measured row by row.
- `demo/`: everything once and small, in minutes: clips, training, measures and a page.
- `generated_clips`, `reporter`: lists of generated clips and progress callbacks, which both of them use.
"""

from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.run import RunResult, continue_pretraining, run_pretraining

__all__ = ["RECIPES", "RunResult", "continue_pretraining", "find_recipe", "run_pretraining"]
