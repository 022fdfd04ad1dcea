"""Temporal segmentation: when what is heard or seen changes, and which state comes back (paper Figure 6).

A video file comes in (`segment_video`), or clips of a stage with their truth (`evaluate_temporal`). Out come
spans of one state, as a table, CSV, JSON and a figure; or a report.

    spans             spans of one state: made of labels, joined where they are short
    clustering        states of frames by the published rule
    changes           do the states really differ?
    video_states      all of this for one video
    text              its states for people and for programs
    truth             true states of a stage; truth_file: of a hand-made CSV file
    baselines         states found without a model
    predictions       states of clips: of a model, and of the baselines
    evaluate          predicted states compared with the true ones
    bars, figure      figures of both
    config            configurations of both
"""

from cavmae_sync.tasks.temporal.config import SegmentingConfig, TemporalTask
from cavmae_sync.tasks.temporal.evaluate import TemporalReport, evaluate_temporal
from cavmae_sync.tasks.temporal.video_states import VideoStates, segment_video

__all__ = [
    "SegmentingConfig",
    "TemporalReport",
    "TemporalTask",
    "VideoStates",
    "evaluate_temporal",
    "segment_video",
]
