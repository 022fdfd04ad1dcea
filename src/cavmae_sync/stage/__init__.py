"""Generated clips with known truth: a controlled experiment, not a substitute for recorded video.

In: a `StageConfig` and a pack of objects. Out: a folder of video files (a stage) with labels and truth.

    pack of objects -> scene (plan) -> sound, frames -> clip and truth -> folder of video files

    config.py        StageConfig: every choice that changes a clip
    pack.py          interface of a pack, split of its objects
    folder.py        a pack in a folder, from the user; its recordings.py and photographs.py
    packages/        the real pack, a pack in a folder made of pictures and sounds of Debian packages
    procedural.py    the built-in pack; draw_animals.py, draw_things.py on a canvas.py: how it looks;
                     voices.py from synthesis.py: how it sounds
    scene.py         plan of a clip
    sound.py         sound of a scene
    render.py        frames of a scene and the object at each pixel, on a backdrop.py
    generate.py      generate_clip: one clip in memory
    truth.py         ClipTruth: objects, events and masks; truth_file.py: StageTruth, the file of them
    make.py          make_stage: the folder
    figure.py        figure of a clip with its truth; key_figure.py: key to several clips
"""

from cavmae_sync.stage.config import Control, StageConfig, Variant
from cavmae_sync.stage.folder import FolderPack
from cavmae_sync.stage.generate import GeneratedClip, generate_clip
from cavmae_sync.stage.make import StageSummary, load_pack, make_stage
from cavmae_sync.stage.pack import Pack, StageObject
from cavmae_sync.stage.procedural import ProceduralPack
from cavmae_sync.stage.truth import ClipTruth, EventTruth, ObjectTruth
from cavmae_sync.stage.truth_file import StageTruth

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
