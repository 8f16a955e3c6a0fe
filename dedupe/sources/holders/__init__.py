"""What holds files by name: a folder, an archive, an object store."""
