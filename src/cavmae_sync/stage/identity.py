"""Identity of a stage: its name, and a hash of its plans.

A stage is frozen: the same name, seed and number of clips are the same clips for ever. The plans are equal on
all machines, to the last bit; pixels and samples may differ in the last bits between processors.
"""

import hashlib
from typing import Final

from cavmae_sync.stage.config import STAGE_VERSION, StageConfig
from cavmae_sync.stage.pack import Pack, objects_by_class
from cavmae_sync.stage.plan import plan_scene

#: Plans that are hashed: those of clips 0 to 19, however many clips a stage has.
NUM_HASHED_PLANS: Final = 20
_IN_THE_NAME: Final = {"split", "variant", "classes", "control"}
#: Size and rate of the frames show the same clips, larger or smoother.
_NOT_IN_THE_NAME: Final = {"frame_pixels", "frames_per_second"}
_BUILT_IN: Final = "procedural"


def stage_name(config: StageConfig, *, pack_fingerprint: str) -> str:
    """Name of a stage, for example `stage2-bind-test`.

    Where they are not the usual ones, the name goes on with the pack, `unknown` classes, the control and
    every other field that differs from its default: `stage2-bind-test-seed=1`.
    """
    kind = pack_fingerprint.split("-", maxsplit=1)[0]
    parts = [f"stage{STAGE_VERSION}", config.variant, config.split]
    parts += [] if kind == _BUILT_IN else [kind]
    parts += [] if config.classes == "known" else [config.classes]
    parts += [] if config.control == "none" else [config.control]
    usual = StageConfig()
    for name in StageConfig.model_fields:
        value = getattr(config, name)
        if name not in _IN_THE_NAME | _NOT_IN_THE_NAME and value != getattr(usual, name):
            parts.append(f"{name}={value:g}")
    return "-".join(parts)


def plans_sha256(config: StageConfig, pack: Pack) -> str:
    """SHA-256 over the plans of the first clips, in hexadecimal."""
    cast = objects_by_class(pack, split=config.split, unknown=config.classes == "unknown")
    digest = hashlib.sha256()
    for index in range(NUM_HASHED_PLANS):
        digest.update(plan_scene(index, config=config, cast=cast).fingerprint().encode())
    return digest.hexdigest()
