"""The store of podman, buildah and CRI-O."""
