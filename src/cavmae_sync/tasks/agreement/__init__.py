"""Where in a video sound and picture belong together, and whether the sound is late."""
