"""Looking at a stretch of video again: which frames (sampling), how they are laid out and labelled, at what cost."""
