"""Reference: clips of other videos, and never those of the video that is judged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.data import PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.errors import WeightsError
from cavmae_sync.tasks.agreement.reference import choose_reference, embed_clips, embed_reference

from .handmade import reference


def test_foreign_sounds_of_a_reference_leave_out_the_clip_itself():
    known = reference(num_clips=21)
    own = known.clips[4]
    foreign = list(
        known.foreign_sounds(
            own, silent_below_dbfs=-60, num_sounds=50, generator=np.random.default_rng(0), without=4
        )
    )
    assert len(foreign) == 50
    assert all(not torch.equal(audio_TD, own.audio_TD) for audio_TD, _ in foreign)


def test_clips_of_the_video_that_is_judged_are_left_out(
    embedder: Embedder, half_clips: PreparedDataset, stage_folder: Path
):
    video = stage_folder / "clips" / half_clips.row(6).source
    known = embed_reference(embedder, choose_reference(half_clips, video=video))
    rest = [row for row in range(len(half_clips)) if half_clips.row(row).source != video.name]
    assert (len(known.clips), known.num_left_out) == (26, 2)
    assert known.clip_list == half_clips.subset(rest).list_sha256
    assert choose_reference(half_clips).num_left_out == 0


def test_broken_weights_make_no_reference(embedder: Embedder, prepared: PreparedDataset):
    with torch.no_grad():
        embedder.model.joint.norm_v.weight.fill_(torch.nan)
    with pytest.raises(WeightsError, match="not finite in precision float32"):
        embed_clips(embedder, prepared.head(1))
