"""containerd's store, on its own or below docker's."""
