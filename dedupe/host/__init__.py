"""Access to what the program runs on: files, folders, disk extents, locks and object stores."""
