"""`cavmae-sync segment`: when does what is heard, or seen, in a video change?"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cavmae_sync.cli.models import open_embedder
from cavmae_sync.cli.options import EncodeOptions, RunOrWeights, Video, VideoResultOptions, Word
from cavmae_sync.cli.progress import show_progress
from cavmae_sync.cli.terminal import Terminal, print_json
from cavmae_sync.cli.words import configure

if TYPE_CHECKING:
    from cavmae_sync.embedding import EmbeddedClip, Embedder
    from cavmae_sync.tasks.temporal import SegmentingConfig, VideoStates


#: Spans of one modality from which on a table is hard to read.
_MANY: Final = 60


def segment(
    run_or_weights: RunOrWeights,
    video: Video,
    /,
    *words: Word,
    truth: Path | None = None,
    compute: EncodeOptions = EncodeOptions(),
    results: VideoResultOptions = VideoResultOptions(),
) -> None:
    """Divide a video into spans of time in which the same is heard, or seen.

    The vectors of frames and their sound are clustered; neighbouring frames of one cluster are a span. A
    letter stands for a state and comes back with it; letters of different modalities have nothing to do with
    each other. The published rule always finds at least two states. Here, frames that hardly differ are one
    state, so that a shot in which nothing happens is one span, and a note says when no border is sharper than
    steady noise or a slow drift would give. The figure shows frames, one bar for each modality, and the
    spectrogram. `cavmae-sync evaluate segment` measures such spans.

    Words, with their defaults:

    - `modalities=audio,visual,both`: divide by sound, by picture, and by both at once.
    - `scope=file`: compare all frames of the file, or, with `scope=clip` (as published), only those of each
      clip of 10 s.
    - `max_states=5`: most states, of the file or of each clip; at least 2.
    - `least_distance=0.1`: frames nearer than this cosine distance are one state; 0 is the published rule.
    - `min_seconds=0`: give shorter spans to their neighbours; 2 to 10 make long videos readable.
    - `num_frames=16`: frames compared in each clip of 10 s.
    - `seed=0`: seed of k-means, which is used where the published rule finds no threshold.

    Example: cavmae-sync segment my-run my-video.mp4 --figure bars.png --csv spans.csv min_seconds=2

    Args:
        truth: CSV file with the columns start, stop and label, to be drawn below the bars.
    """
    from cavmae_sync.media import probe
    from cavmae_sync.tasks.temporal import SegmentingConfig
    from cavmae_sync.tasks.temporal.figure import video_states_figure
    from cavmae_sync.tasks.temporal.text import states_csv, states_dict
    from cavmae_sync.tasks.temporal.truth_file import read_truth
    from cavmae_sync.weights import weights_fingerprint

    results.check(inputs=(truth,))
    config, for_model = configure(SegmentingConfig(), words)
    true_spans = None if truth is None else read_truth(truth)
    total_seconds = round(probe(video).duration_seconds or 0)
    embedder = open_embedder(run_or_weights, for_model, compute)
    found = _divide(embedder, video, config, total_seconds=total_seconds)
    results.save_csv(lambda: states_csv(found))
    results.save_figure(lambda: video_states_figure(found, name=video.name, truth=true_spans))
    if results.as_json:
        about = {"video": str(video), "weights": weights_fingerprint(embedder.model)}
        print_json(about | states_dict(found, config=config))
    else:
        _print(found, config, title=video.name)


def _divide(
    embedder: "Embedder", video: Path, config: "SegmentingConfig", *, total_seconds: int
) -> "VideoStates":
    from cavmae_sync.tasks.temporal import segment_video

    with show_progress("seconds of video") as advance:

        def on_clip(clip: "EmbeddedClip") -> None:
            done = round(clip.clip.start_seconds + clip.clip.duration_seconds)
            advance(done, max(total_seconds, done))

        return segment_video(embedder, video, config=config, on_clip=on_clip)


def _print(found: "VideoStates", config: "SegmentingConfig", *, title: str) -> None:
    from cavmae_sync.tasks.temporal.text import states_notes, states_table

    console = Terminal(highlight=False)
    console.print(states_table(found, title=title))
    for note in states_notes(found, config=config):
        console.print(note, soft_wrap=True)
    if config.min_seconds == 0 and max(len(states.spans) for states in found.states.values()) > _MANY:
        Terminal(stderr=True).print("Many short spans: min_seconds=2 joins them.", highlight=False)
