"""What several test modules share: how they scan, run commands and ask other tools."""
