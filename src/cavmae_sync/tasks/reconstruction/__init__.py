"""What the model fills in where patches of a frame and of its sound are hidden."""
