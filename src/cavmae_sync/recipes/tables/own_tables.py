"""Tables of our own: what goes beyond the paper, part by part."""

from typing import Final

from cavmae_sync.recipes.sync_plus import SYNC_PLUS_PARTS
from cavmae_sync.recipes.tables.table_spec import Row, TableSpec, Training

#: Names of the tables that are not the paper's.
OWN_TABLES: Final = ("sync_plus", "tg_dp", "windows")

#: Recipe of the table of windows: several moments of a clip leave fewer clips to tell apart in a step.
_WITHOUT_MOMENTS: Final = "sync_base_with_all_seen_both_directions"
#: Lengths of sound of the table of windows, in spectrogram frames.
_WINDOWS: Final = {"0.5 s": 48, "2 s": 208, "4 s": 416}

#: Rows that separate what TG-DP changes at once: the second pass and both directions.
_TG_DP_ROWS: Final = {
    "base": "sync_base",
    "both directions": "sync_base_with_both_directions",
    "second pass": "sync_base_with_contrast_pass",
    "second pass, both directions (TG-DP)": "tg_dp_base",
}


def sync_plus_table() -> TableSpec:
    """Each part of `sync_plus_base` by itself, and all together."""
    parts = [
        Row(name=part.replace("_", " "), training=Training(recipe=f"sync_base_with_{part}"))
        for part in SYNC_PLUS_PARTS
    ]
    return TableSpec(
        name="sync_plus",
        title="sync_plus: what each part gives",
        tasks=("retrieval", "segmentation", "probing"),
        rows=[
            Row(name="sync"),
            *parts,
            Row(name="sync_plus", training=Training(recipe="sync_plus_base")),
        ],
        published_columns=(),
    )


def tg_dp_table() -> TableSpec:
    """TG-DP's second pass and its two directions, apart and together."""
    return TableSpec(
        name="tg_dp",
        title="TG-DP: the second pass and both directions",
        tasks=("retrieval",),
        rows=[Row(name=name, training=Training(recipe=recipe)) for name, recipe in _TG_DP_ROWS.items()],
        published_columns=(),
        note="Published together (23.2 -> 27.4 for a second pass, sound to picture): here apart.",
    )


def windows_table() -> TableSpec:
    """Lengths of the sound of one frame, as they are at every scale: what a longer one tells."""
    return TableSpec(
        name="windows",
        title="windows: what belongs together wants long sounds",
        tasks=("retrieval",),
        rows=[
            Row(name=name, training=Training(recipe=_WITHOUT_MOMENTS, segment_length=length))
            for name, length in _WINDOWS.items()
        ],
        published_columns=(),
        note=(
            "Unlike in Figure 4, segments of stage twins are as long as they are called. Rows cost more the "
            "longer they are. On `no_pulse`, rules have at most 0.4 % of WHAT and the best linear fit 1.5."
        ),
    )
