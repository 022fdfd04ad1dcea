"""Which planted faults the doctor finds in real data, and by what: a Markdown table.

Every fault is planted in the files of clips of a prepared dataset, which are then imported and examined.

python benchmarks/studies/doctor_faults.py RUN_OR_WEIGHTS DATASET [--num-clips 100]
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # the faults are those of the tests

from tests.evaluation.doctor.planted import SPOILT, RawClip, change_log_mel, write_dataset

from cavmae_sync.data import PreparedDataset
from cavmae_sync.doctor import Examination, ExaminedModel, examine, open_examined_model
from cavmae_sync.doctor.diagnosis import trials
from cavmae_sync.doctor.fault_probe import FaultProbe
from cavmae_sync.paper import SPECTROGRAM_MEAN, SPECTROGRAM_STD

LOG_MEL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "twice_the_deviation": lambda x_NM: (x_NM - SPECTROGRAM_MEAN) / 2 + SPECTROGRAM_MEAN,
    "half_the_deviation": lambda x_NM: (x_NM - SPECTROGRAM_MEAN) * 2 + SPECTROGRAM_MEAN,
    "spectrogram_not_normalised": lambda x_NM: x_NM * SPECTROGRAM_STD + SPECTROGRAM_MEAN,
    "frequencies_flipped": lambda x_NM: x_NM[:, ::-1],
}


def raw_clips(clips: PreparedDataset) -> list[RawClip]:
    numbers = range(clips.num_frames)
    return [
        RawClip(np.stack([clips.read_frame(i, t) for t in numbers]), clips.read_waveform(i))
        for i in range(len(clips))
    ]


def planted(raw: list[RawClip], folder: Path, *, clip_seconds: float) -> Iterator[tuple[str, Path]]:
    yield "healthy", write_dataset(raw, folder / "healthy", clip_seconds=clip_seconds).folder
    for name, spoil in SPOILT.items():
        yield name, write_dataset(spoil(raw), folder / name, clip_seconds=clip_seconds).folder
    for name, change in LOG_MEL.items():
        made = write_dataset(raw, folder / name, clip_seconds=clip_seconds).folder
        change_log_mel(made, change)
        yield name, made


def row(examined: ExaminedModel, name: str, folder: Path) -> str:
    clips = PreparedDataset.open(folder)
    report = examine(examined, Examination(clips=clips, num_clips=len(clips)))
    failed = [finding.check for finding in report.findings if finding.status == "FAIL"]
    undone = [each for each in trials(FaultProbe(examined.embedder, clips)) if each.fault.name == name]
    figures = "".join(
        f"{each.before:.1%} | {each.after:.1%} | {each.z:.1f} | "
        f"{each.margin_before:.3f} | {each.margin_after:.3f} |"
        for each in undone
    )
    return f"| {name} | {', '.join(failed) or 'nothing'} | {figures or ' | | | | |'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--num-clips", type=int, default=100)
    args = parser.parse_args()
    examined = open_examined_model(args.weights)
    clips = PreparedDataset.open(args.dataset).head(args.num_clips)
    print(
        "| planted | found by | partner beats | undone | z | margin | undone |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, made in planted(raw_clips(clips), Path(folder), clip_seconds=clips.config.clip_seconds):
            print(row(examined, name, made), flush=True)


if __name__ == "__main__":
    main()
