"""Frames of generated clips as examples: which frames, which answers, which sounds ask."""

import torch

from cavmae_sync.data import ClipDataset, PreparedDataset
from cavmae_sync.embedding import Embedder
from cavmae_sync.inputs import InputConfig
from cavmae_sync.stage import StageTruth
from cavmae_sync.tasks.localization.evaluate import LocalizationConfig, evaluate_localization
from cavmae_sync.tasks.localization.figures import chosen_rows, localization_figure
from cavmae_sync.tasks.localization.stage_examples import StageExamples


def test_rows_are_frames_with_something_heard_and_seen(prepared, stage_folder):
    examples = StageExamples(prepared, StageTruth(stage_folder))
    expected = set()
    for clip in range(len(prepared)):
        row = prepared.row(clip)
        truth = StageTruth(stage_folder).for_clip(row)
        for frame, seconds in enumerate(row.frame_seconds):
            index = truth.frame_index(row.start_seconds + seconds)
            for thing in truth.objects:
                is_seen = thing.is_on_stage and thing.is_visible_T[index]
                if is_seen and thing.number in truth.sounding(row.start_seconds + seconds):
                    expected.add((f"{truth.video_id}, frame {frame}", thing.class_name))
    assert {(target.name, target.class_name) for target in examples.targets} == expected
    skipped = examples.counts["frames_with_nothing_heard_and_seen"]
    assert skipped == 14 * 4 - len({name for name, _ in expected})


def test_the_answer_is_what_sounds_and_the_rest_is_salient(prepared, stage_folder):
    examples = StageExamples(prepared, StageTruth(stage_folder))
    several = [r for r, target in enumerate(examples.targets) if target.groups]
    assert several
    for row, target in enumerate(examples.targets):
        answer_HW, salient_HW = target.mask(), examples.salient(row)
        assert answer_HW.any()
        assert not (answer_HW & ~salient_HW).any()
        if row in several:
            assert (salient_HW & ~answer_HW).any()


def test_own_sound_is_the_segment_of_the_frame(prepared: PreparedDataset, stage_folder):
    examples = StageExamples(prepared, StageTruth(stage_folder))
    config = InputConfig(frame_pixels=32, segment_length=32)
    batch = ClipDataset(prepared, inputs=config)[0]
    name, _, frame = examples.targets[0].name.partition(", frame ")
    assert prepared.clip_id(0) == name
    torch.testing.assert_close(examples.prompt(0, config)[0], batch.segments_PLM[int(frame)])


def test_columns_before_and_after_the_clip_are_not_heard(prepared: PreparedDataset, stage_folder):
    """Clips of 98 rows. A segment of 160 centred on a frame passes both ends; its columns have 16 rows."""
    examples = StageExamples(prepared, StageTruth(stage_folder))
    config = InputConfig(frame_pixels=32, segment_length=160, alignment="centered")
    frame = int(examples.targets[0].name.partition(", frame ")[2])
    columns = torch.arange(10) * 16 + 8 + round(100 * prepared.frame_seconds(0)[frame] - 0.75) - 80
    assert torch.equal(examples.heard(0, config)[0], (columns >= 0) & (columns < 98))
    values = examples.prompt(0, config)[0].amax(dim=1)
    assert values[~examples.heard(0, config)[0].repeat_interleave(16)].min() == values.min()
    batch = ClipDataset(prepared, inputs=config)[0]
    torch.testing.assert_close(examples.prompt(0, config)[0], batch.segments_PLM[frame])


def test_other_sounds_come_from_other_clips_and_ask_for_one_class(prepared, stage_folder):
    own = StageExamples(prepared, StageTruth(stage_folder))
    other = StageExamples(prepared, StageTruth(stage_folder), prompt="other")
    assert len(other.targets) + other.counts["rows_without_other_sound"] == len(own.targets)
    for example in other._examples:
        assert example.prompt.clip != example.image.clip
        row = prepared.row(example.prompt.clip)
        truth = StageTruth(stage_folder).for_clip(row)
        (number,) = truth.sounding(row.start_seconds + row.frame_seconds[example.prompt.frame])
        named = {thing.number: thing.class_name for thing in truth.objects}
        assert named[number] == example.target.class_name


def test_a_model_on_it_and_its_figure(prepared, stage_folder, embedder: Embedder):
    examples = StageExamples(prepared.head(6), StageTruth(stage_folder))
    report = evaluate_localization(embedder, examples, LocalizationConfig(num_bootstrap=10))
    assert report.to_dict()["counts"]["substitutions"] == 0
    assert 0 < report.metrics["mean_average_precision"].value < 1
    assert sum(score.num_rows for score in report.classes) == len(examples.targets)
    rows = chosen_rows(report, 5)
    assert len(set(rows)) == len(rows) == min(5, len(examples.targets))
    assert len(localization_figure(report, examples, num_examples=5).axes) == 2 * 4 * 2 + 1
