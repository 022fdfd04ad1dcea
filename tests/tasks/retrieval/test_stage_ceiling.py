"""Truth of a stage: equal moments, and what is possible for somebody who knows who is seen and heard."""

import numpy as np
import pytest
import torch

from cavmae_sync.errors import DatasetError
from cavmae_sync.stage import ObjectTruth, StageTruth
from cavmae_sync.tasks.retrieval.stage_ceiling import StageMoments, read_moments, stage_ceilings


def thing(number: int, name: str, class_name: str) -> ObjectTruth:
    frames = np.zeros(1, np.float32)
    return ObjectTruth(
        number=number,
        name=name,
        class_name=class_name,
        size=0.5,
        warmth=None,
        texture=None,
        is_on_stage=True,
        boxes_T4=np.zeros((1, 4), np.int32),
        visible_share_T=frames,
        loudness_T=frames,
    )


def numbers(measures) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in measures.clip_values().items()}


DOG, CAT, OTHER_DOG = thing(1, "dog-1", "dog"), thing(2, "cat-1", "cat"), thing(1, "dog-2", "dog")


def test_moments_worked_by_hand():
    """Two clips of four moments: dog, cat, dog, nothing; and the same with another dog, in another order."""
    moments = StageMoments(
        heard=[[(DOG,), (CAT,), (DOG,), ()], [(CAT,), (OTHER_DOG,), (), (OTHER_DOG,)]],
        visible=[[(DOG, CAT)] * 4, [(OTHER_DOG, CAT)] * 4],
    )
    hits = moments.hits()
    assert hits[0].int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    found = stage_ceilings(moments, hits_NTT=hits)
    by_class = numbers(found["who sounds, by class"])
    assert by_class["both/audio_to_visual"] == 1, "the order tells them apart"
    assert by_class["moment/audio_to_visual"] == (1 / 2 + 1 + 1 / 2 + 1) / 4
    assert by_class["state/audio_to_visual"] == pytest.approx(1)
    assert numbers(found["bags of exact objects"])["both/audio_to_visual"] == 1
    values = found["bags of classes"].matches["both"].ranks("mean")["audio_to_visual"]
    assert values.tolist() == [0.5, 0.5], "both clips hold a dog and a cat"


def test_what_is_heard_and_not_seen_is_no_state():
    moments = StageMoments(heard=[[(DOG,), (DOG, CAT)]], visible=[[(DOG,), (DOG,)]])
    assert moments.shown() == [[(DOG,), (DOG,)]]
    assert moments.hits().all()


def test_states_are_those_of_the_truth_at_the_times_of_the_frames(prepared, stage_folder):
    truth = StageTruth(stage_folder)
    moments = read_moments(prepared, truth)
    for row in (0, 5):
        clip = prepared.row(row)
        of_clip = truth.for_clip(clip)
        for t, seconds in enumerate(clip.frame_seconds):
            heard = tuple(each.number for each in moments.heard[row][t])
            assert heard == of_clip.sounding(seconds)
    hits = moments.hits()
    assert hits.shape == (len(prepared), prepared.num_frames, prepared.num_frames)
    assert torch.equal(hits, hits.transpose(1, 2))
    ceiling = numbers(stage_ceilings(moments, hits_NTT=hits)["who sounds, exact objects"])
    assert ceiling["state/visual_to_audio"] > 0.8


def test_clips_of_another_stage_are_refused(two_clips, stage_folder):
    with pytest.raises(DatasetError, match="not in the stage"):
        read_moments(two_clips, StageTruth(stage_folder))
