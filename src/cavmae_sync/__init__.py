"""cavmae-sync: how vision and sound belong together in video, learned without labels, frame by frame."""
