"""How a map is made."""

from typing import Any, Final

from pydantic import Field

from cavmae_sync.choices import MapRule
from cavmae_sync.config import Config
from cavmae_sync.errors import ConfigError

#: Blocks of patches on a side of a frame that the automatic size of a block leaves at least.
_LEAST_BLOCKS: Final = 6


class MapConfig(Config):
    """How the map of a sound over a frame is made; the last five fields are read by "masking" alone."""

    map: MapRule = "cosine"
    """Rule of the map: cosine (the paper), denseav, masking, or attention."""
    contrast: bool = False
    """Whether the mean of the other sounds is taken off: what looks striking whatever is heard goes away."""
    num_masks: int = Field(36, gt=1)
    """Masks of each frame. More cost more and give less noise."""
    mask_ratio: float = Field(0.9, gt=0, lt=1)
    """Share of the patches that a mask hides."""
    block_patches: int | None = Field(None, gt=0)
    """Side of the blocks of patches that are hidden together; none leaves six blocks or more on a side."""
    ridge: float = Field(1.0, gt=0)
    """Penalty on squared coefficients of the regression; more gives less noise and less detail."""
    mask_seed: int = 0
    """Seed of the masks, which are the same for all frames."""

    def block_side(self, side: int) -> int:
        """Patches on a side of a block, for frames with `side` patches on a side.

        Raises:
            ConfigError: Blocks of the chosen size do not fill the side, or one of them is the whole frame.
        """
        sizes = [size for size in range(1, side) if side % size == 0]
        if self.block_patches is None and sizes:
            return max(size for size in sizes if size <= max(1, side // _LEAST_BLOCKS))
        if self.block_patches not in sizes:
            raise ConfigError(
                f"map=masking needs frames of at least two blocks that fill them; this model has {side} x "
                f"{side} patches, and block_patches={self.block_patches}. "
                + (f"Use one of {', '.join(map(str, sizes))}." if sizes else "Use another map.")
            )
        return self.block_patches

    def settings(self) -> dict[str, Any]:
        """Fields that the rule reads, for a report: JSON values."""
        read = {"contrast"} if self.map != "masking" else set(MapConfig.model_fields) - {"map"}
        return {"rule": self.map, **self.model_dump(mode="json", include=read)}

    @property
    def unit_text(self) -> str:
        """Words for the values of a map, for the scale of a figure."""
        texts = {
            "cosine": "cosine of sound and patch",
            "denseav": "product of sound and patch",
            "masking": "what showing the patch adds to the cosine of sound and frame",
            "attention": "what attention to the patch adds to the cosine of sound and frame",
        }
        return texts[self.map] + (", minus that of the mean sound" if self.contrast else "")
