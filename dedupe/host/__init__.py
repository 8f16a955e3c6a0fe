"""Files, folders and locks of the machine that the program runs on."""
