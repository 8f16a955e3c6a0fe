"""docker's store with a graph driver."""
