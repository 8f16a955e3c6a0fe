"""Sources made of JSON documents and blobs: layouts, archives, registries."""
