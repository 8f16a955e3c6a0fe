"""containerd's store, also when docker keeps its images there."""
