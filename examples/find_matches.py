"""For the sound of each video: the videos whose pictures fit best, by a trained model.

    python examples/find_matches.py small my-videos

Only the first ten seconds of each file are used here; `cavmae-sync embed --videos` reads files of any length.
"""

import argparse
from pathlib import Path

import torch

import cavmae_sync as cs
from cavmae_sync.embedding import similarity_matrix

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights", help="folder of a run, a weights file, organisation/name on a hub, or small")
parser.add_argument("videos", type=Path, help="folder of video files")
parser.add_argument("--top", type=int, default=3, help="videos shown for each sound")
arguments = parser.parse_args()

embedder = cs.Embedder(cs.load_model(arguments.weights))

names, embeddings = [], []
for path in sorted(path for path in arguments.videos.iterdir() if path.is_file()):
    try:
        clip = cs.read_clip(path)  # 16 frames and 10 seconds of sound
    except cs.CavMaeSyncError as error:  # a text file, a silent film: said, and left out
        print(f"left out: {error}")
        continue
    names.append(path.name)
    embeddings.append(embedder.embed(clip))

# [sounds, videos]: the score of two is the mean of the cosines of moments that belong together.
scores = similarity_matrix(
    torch.stack([each.audio_TD for each in embeddings]), torch.stack([each.visual_TD for each in embeddings])
)
for name, scores_of_videos in zip(names, scores, strict=True):
    best = scores_of_videos.topk(min(arguments.top, len(names)))
    found = (
        f"{names[i]} {score:+.2f}"
        for score, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )
    print(f"{name}: {', '.join(found)}")
