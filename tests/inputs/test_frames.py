"""Frames against Pillow, on likely sizes and on sizes nobody expects; normalisation against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cavmae_sync.inputs import normalize_frames, resize_and_crop
from cavmae_sync.inputs.frames import denormalize_frames


def pillow(image: np.ndarray, pixels: int) -> np.ndarray:
    """Resize(pixels, bicubic) and CenterCrop(pixels) as torchvision does them with Pillow.

    Width first, then height, as every Pillow did when the model was published. Pillow 13 chooses the order
    by cost, and for high images takes the other: up to 24 grey levels away on noise, by rounding and
    clamping between the two passes. Torch has kept width first.
    """
    height, width = image.shape[:2]
    if width <= height:
        size = (pixels, int(pixels * height / width))
    else:
        size = (int(pixels * width / height), pixels)
    resized = Image.fromarray(image)
    for step in ((size[0], height), size):
        resized = resized.resize(step, Image.Resampling.BICUBIC)
    left, top = round((size[0] - pixels) / 2.0), round((size[1] - pixels) / 2.0)
    return np.asarray(resized.crop((left, top, left + pixels, top + pixels)))


def noise_frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scene(height: int, width: int) -> np.ndarray:
    """Something like a photograph: soft shading, hard edges, a little grain."""
    random = np.random.default_rng(height)
    y, x = np.mgrid[:height, :width]
    shading = 120 + 60 * np.sin(x / 37) * np.cos(y / 23)
    edges = 70.0 * (((x // 31) + (y // 19)) % 2)
    colours = np.array([1.0, 0.8, 0.6])
    grain = random.normal(0, 4, (height, width, 3))
    return np.clip((shading + edges)[..., None] * colours + grain, 0, 255).astype(np.uint8)


def test_it_is_pillow_to_one_grey_level_and_to_two_in_one_value_of_50000():
    for height, width in [(144, 256), (241, 427), (427, 241), (225, 341), (360, 640), (224, 224)]:
        ours = resize_and_crop(scene(height, width)[None], pixels=224)[0].numpy()
        difference = np.abs(ours.astype(int) - pillow(scene(height, width), 224))
        assert difference.max() <= 2, (height, width)
        assert (difference > 1).mean() < 2e-5, (height, width)
        assert (difference > 0).mean() < 0.006, (height, width)


def assert_like_pillow(frame: np.ndarray, pixels: int) -> None:
    """Torch rounds its filters to 16 bits, Pillow to 22: one grey level; on noise, seldom two."""
    ours = resize_and_crop(frame[None], pixels=pixels)[0].numpy()
    difference = np.abs(ours.astype(int) - pillow(frame, pixels))
    assert ours.shape == (pixels, pixels, 3)
    assert difference.max() <= 2
    assert (difference > 1).mean() < 0.003


def test_extreme_sizes_are_like_pillow():
    sizes = [(16, 16), (64, 1920), (1920, 64), (2, 2), (1, 1), (3, 2), (225, 223), (720, 1280)]
    for height, width in sizes:
        assert_like_pillow(noise_frame(height, width), 224)


@settings(max_examples=40)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    pixels=st.sampled_from([16, 48]),
    seed=st.integers(0, 9),
)
def test_any_size_is_like_pillow(height: int, width: int, pixels: int, seed: int):
    assert_like_pillow(noise_frame(height, width, seed), pixels)


def test_a_frame_of_the_right_size_is_untouched():
    frames = noise_frame(224, 224)[None]
    assert torch.equal(resize_and_crop(frames, pixels=224), torch.from_numpy(frames))


def test_each_frame_of_a_batch_is_treated_alone():
    frames = np.stack([noise_frame(90, 160, seed) for seed in range(3)])
    together = resize_and_crop(frames, pixels=64)
    assert together.is_contiguous()
    for i in range(3):
        assert torch.equal(together[i], resize_and_crop(frames[i : i + 1], pixels=64)[0])


def test_the_crop_is_the_middle():
    frames = np.zeros((1, 10, 30, 3), dtype=np.uint8)
    frames[:, :, 10:20] = 200
    assert (resize_and_crop(frames, pixels=10) == 200).all()


def test_frames_that_may_not_be_written_to_are_read_without_complaint():
    frames = noise_frame(20, 30)[None]
    expected = resize_and_crop(frames.copy(), pixels=16)
    frames.flags.writeable = False
    assert torch.equal(resize_and_crop(frames, pixels=16), expected)


def test_normalisation_equals_the_definition_in_float64():
    ours = normalize_frames(noise_frame(20, 30)[None])
    expected = (noise_frame(20, 30) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(ours[0].numpy() - expected.transpose(2, 0, 1)).max() < 1e-6
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_every_grey_level_survives_normalisation_and_back():
    frames = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    assert torch.equal(denormalize_frames(normalize_frames(frames)), frames)


def test_values_outside_the_range_are_clamped_on_the_way_back():
    frames = denormalize_frames(torch.tensor([-100.0, 100.0]).view(2, 1, 1, 1).expand(-1, 3, 1, 1))
    assert frames.flatten(1).tolist() == [[0, 0, 0], [255, 255, 255]]


def test_bad_frames_are_refused_with_what_they_were():
    with pytest.raises(TypeError, match="float32"):
        resize_and_crop(torch.zeros(1, 4, 4, 3), pixels=224)
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 4\)"):
        normalize_frames(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"\(1, 0, 4, 3\)"):
        resize_and_crop(torch.zeros(1, 0, 4, 3, dtype=torch.uint8), pixels=224)
