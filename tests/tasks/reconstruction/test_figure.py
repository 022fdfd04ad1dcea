"""Figure of a reconstruction."""

from dataclasses import replace

import numpy as np
import pytest

from cavmae_sync.tasks.reconstruction.figure import Reconstruction, reconstruction_figure


def reconstruction(*shape):
    hidden = np.zeros(shape[:2], dtype=bool)
    hidden[: shape[0] // 2] = True
    original = (
        np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8 if len(shape) == 3 else np.float32)
    )
    return Reconstruction(original=original, hidden=hidden, composite=original)


def test_a_reconstruction_shows_what_was_hidden_in_grey(saved):
    figure = reconstruction_figure(frame=reconstruction(32, 32, 3), segment=reconstruction(48, 128))
    seen = np.asarray(figure.axes[1].images[0].get_array())
    assert (seen[:16] == 0xBD).all()
    assert figure.axes[4].images[0].get_array().mask[:, :24].all()
    texts = saved(figure)
    assert texts.count("what the encoder\nsaw (50 % hidden)") == 2
    assert texts.count("prediction") == 2


def test_a_reconstruction_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must be of one size"):
        replace(reconstruction(4, 4), hidden=np.zeros((4, 5), dtype=bool))
