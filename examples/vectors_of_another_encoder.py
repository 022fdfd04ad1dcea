"""Write the vectors of another encoder into a file, and measure them as a model of ours is measured.

    python examples/vectors_of_another_encoder.py my-dataset --out energy.npz

Replace the two functions by your encoder. Those that stand here have learned nothing: the energy of the
sound, and the brightness of the picture. Whatever a trained model reaches should be seen beside what they
reach.
"""

import argparse
from pathlib import Path

import numpy as np
import rich
from numpy.typing import NDArray

import cavmae_sync as cs
from cavmae_sync.tasks.retrieval import open_embeddings, retrieval_report


def encode_sound(waveform_S: NDArray[np.float32], num_frames: int) -> NDArray[np.float32]:
    """Vectors [T, D], or one [D], of 16 kHz mono samples. Here: how the energy goes up and down."""
    pieces = np.array_split(waveform_S, num_frames)
    energy_T = np.log([1e-6 + float(np.mean(piece**2)) for piece in pieces])
    return curve(energy_T)


def encode_frames(frames_THWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Vectors [T, D], or one [D], of the frames of a clip. Here: how the brightness goes up and down."""
    return curve(frames_THWC.mean(axis=(1, 2, 3)))


def curve(values_T: NDArray[np.floating]) -> NDArray[np.float32]:
    """A curve without its mean and its size, so that the product of two of them is their correlation."""
    centred_T = values_T - values_T.mean()
    return (centred_T / (np.linalg.norm(centred_T) + 1e-9) + 1e-6).astype(np.float32)  # never all zero


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", type=Path, help="prepared dataset; cavmae-sync prepare makes one")
parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
arguments = parser.parse_args()

clips = cs.PreparedDataset.open(arguments.data)
audio, visual = [], []
for i in range(len(clips)):
    audio.append(encode_sound(clips.read_waveform(i), clips.num_frames))
    visual.append(encode_frames(np.stack([clips.read_frame(i, frame) for frame in range(clips.num_frames)])))
np.savez(arguments.out, audio=audio, visual=visual, ids=clips.clip_ids, name="energy against brightness")

# The same from the shell: cavmae-sync evaluate retrieval --embeddings energy.npz --data my-dataset
(vectors,) = open_embeddings([arguments.out], clips=clips).values()
rich.print(retrieval_report(vectors).to_table())
