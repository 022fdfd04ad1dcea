"""How frames are stored."""

from io import BytesIO

import numpy as np
from PIL import Image, JpegImagePlugin

from cavmae_sync.data import PrepareConfig
from cavmae_sync.data.storage.clip_files import encode_jpeg


def test_frames_are_stored_at_quality_92_with_colour_at_full_size():
    frame_HWC = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    expected = BytesIO()
    Image.fromarray(frame_HWC).save(expected, "JPEG", quality=92)
    stored = encode_jpeg(frame_HWC, quality=PrepareConfig().jpeg_quality)
    with Image.open(BytesIO(stored)) as ours, Image.open(expected) as usual:
        assert ours.quantization == usual.quantization
        assert JpegImagePlugin.get_sampling(ours) == 0  # 4:4:4
        assert JpegImagePlugin.get_sampling(usual) == 2  # 4:2:0, which is what the authors' frames have
