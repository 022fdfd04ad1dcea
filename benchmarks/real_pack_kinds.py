"""How far kinds of the real pack carry over to objects never met: python -m benchmarks.real_pack_kinds PACK.

PACK is the folder `pack` of a stage made with `--pack real`. Ridge regression, fit on the training objects,
names the kind of a recording by its mean spectrum, and of a picture by 8 x 8 pixels. What it can do without
any time and with few numbers is what a model of clips should do better.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from cavmae_sync.inputs import log_mel
from cavmae_sync.paper import SAMPLE_RATE_HZ
from cavmae_sync.stage.casting import quartets
from cavmae_sync.stage.recordings import read_recording

PENALTIES = (10, 30, 100, 300, 1000, 3000)
NUM_TRIALS = 4000
SOFTNESS = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    pack = parser.parse_args().pack
    with (pack / "classes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = sorted({row["class"] for row in rows if row["split"] == "train"})
    rows = [row for row in rows if row["class"] in kinds]
    kind_N = np.array([kinds.index(row["class"]) for row in rows])
    split_N = np.array([row["split"] for row in rows])
    is_test_N = split_N == "test"
    sound_NK = scores(np.stack([sound_features(pack, row["name"]) for row in rows]), kind_N, split_N)
    picture_NK = scores(np.stack([picture_features(pack, row["name"]) for row in rows]), kind_N, split_N)
    usual = np.bincount(kind_N[split_N == "train"]).argmax()
    print(
        f"{(split_N == 'train').sum()} training objects, {is_test_N.sum()} test objects, {len(kinds)} kinds"
    )
    for name, scores_NK in (("sound", sound_NK), ("picture", picture_NK)):
        print(f"kind from {name}: {np.mean((scores_NK.argmax(1) == kind_N)[is_test_N]):.1%}")
    print(
        f"guessing: {1 / len(kinds):.1%}; the most common kind: {np.mean((kind_N == usual)[is_test_N]):.1%}"
    )
    known, seen = who_sounds(sound_NK, picture_NK, kind_N, is_test_N, kinds)
    print(f"who of four sounds: kinds known {known:.1%}, kinds seen {seen:.1%}, guessing 25.0%")


def sound_features(pack: Path, name: str) -> np.ndarray:
    """Mean, deviation and mean change of each mel bin over three seconds, relative to the loudest bin."""
    path = next(iter(sorted(pack.glob(f"{name}.effect.*"))))
    waveform_S = read_recording(path, name=name)
    waveform_S = np.tile(waveform_S, -(-SAMPLE_RATE_HZ // len(waveform_S)))[: 3 * SAMPLE_RATE_HZ]
    log_mel_FM = np.asarray(log_mel(waveform_S))
    log_mel_FM = np.maximum(log_mel_FM - log_mel_FM.max(), -12.0)
    change_M = np.abs(np.diff(log_mel_FM, axis=0)).mean(0)
    return np.concatenate([log_mel_FM.mean(0), log_mel_FM.std(0), change_M])


def picture_features(pack: Path, name: str) -> np.ndarray:
    """Colours on grey and opacity at 8 x 8 pixels, and the shape of the box."""
    image = Image.open(pack / f"{name}.png").convert("RGBA")
    image = image.crop(image.getchannel("A").getbbox())
    on_grey = Image.new("RGBA", image.size, (128, 128, 128, 255))
    on_grey.alpha_composite(image)
    small = [
        np.asarray(part.resize((8, 8), Image.Resampling.BOX), np.float64).ravel() / 255
        for part in (on_grey.convert("RGB"), image.getchannel("A"))
    ]
    return np.concatenate([*small, [np.log(image.width / image.height)] * 4])


def scores(features_ND: np.ndarray, kind_N: np.ndarray, split_N: np.ndarray) -> np.ndarray:
    """Score of each kind for each object; the penalty is the best one on the validation objects."""
    is_train_N, is_validation_N = split_N == "train", split_N == "validation"
    train_ND = features_ND[is_train_N]
    scaled_ND = (features_ND - train_ND.mean(0)) / (train_ND.std(0) + 1e-6)
    products_NT = scaled_ND @ scaled_ND[is_train_N].T
    wanted_TK = np.eye(kind_N.max() + 1)[kind_N[is_train_N]]
    wanted_TK = wanted_TK - wanted_TK.mean(0)
    found = [
        products_NT @ np.linalg.solve(products_NT[is_train_N] + penalty * np.eye(len(train_ND)), wanted_TK)
        for penalty in PENALTIES
    ]
    return max(found, key=lambda s_NK: np.mean((s_NK.argmax(1) == kind_N)[is_validation_N]))


def who_sounds(
    sound_NK: np.ndarray, picture_NK: np.ndarray, kind_N: np.ndarray, is_test_N: np.ndarray, kinds: list[str]
) -> tuple[float, float]:
    """Share of test quartets in which the sounding object is found, with kinds known and with kinds seen."""
    generator = np.random.default_rng(0)
    groups = quartets(kinds)
    sound_NK, picture_NK = soft(sound_NK), soft(picture_NK)
    known, seen = [], []
    for _ in range(NUM_TRIALS):
        numbers = [kinds.index(name) for name in groups[generator.integers(len(groups))]]
        things = [generator.choice(np.flatnonzero(is_test_N & (kind_N == number))) for number in numbers]
        heard = int(generator.integers(len(things)))
        known.append(sound_NK[things[heard]][numbers].argmax() == heard)
        seen.append((picture_NK[things] @ sound_NK[things[heard]]).argmax() == heard)
    return float(np.mean(known)), float(np.mean(seen))


def soft(scores_NK: np.ndarray) -> np.ndarray:
    """Scores as shares that sum to 1."""
    shares_NK = np.exp(SOFTNESS * scores_NK)
    return shares_NK / shares_NK.sum(1, keepdims=True)


if __name__ == "__main__":
    main()
