"""Where in a frame the sound comes from: the paper's sound-prompted segmentation."""
