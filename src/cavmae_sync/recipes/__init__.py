"""Named, complete runs."""

from cavmae_sync.recipes.pretraining import RECIPES, find_recipe
from cavmae_sync.recipes.run import RunResult, continue_pretraining, run_pretraining

__all__ = ["RECIPES", "RunResult", "continue_pretraining", "find_recipe", "run_pretraining"]
