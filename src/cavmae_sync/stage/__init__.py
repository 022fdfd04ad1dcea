"""Generated clips with known truth: a controlled experiment, not a substitute for recorded video.

    pack of objects -> scene (plan) -> sound, picture -> clip and truth -> folder of video files

`make_stage` writes a folder of clips; `generate_clip` makes one in memory; `StageTruth` reads what is true.
"""

from cavmae_sync.stage.config import Control, StageConfig, Variant
from cavmae_sync.stage.folder import FolderPack
from cavmae_sync.stage.generate import GeneratedClip, generate_clip
from cavmae_sync.stage.make import StageSummary, load_pack, make_stage
from cavmae_sync.stage.pack import Pack, StageObject
from cavmae_sync.stage.procedural import ProceduralPack
from cavmae_sync.stage.table import StageTruth
from cavmae_sync.stage.truth import ClipTruth, EventTruth, ObjectTruth

__all__ = [
    "ClipTruth",
    "Control",
    "EventTruth",
    "FolderPack",
    "GeneratedClip",
    "ObjectTruth",
    "Pack",
    "ProceduralPack",
    "StageConfig",
    "StageObject",
    "StageSummary",
    "StageTruth",
    "Variant",
    "generate_clip",
    "load_pack",
    "make_stage",
]
