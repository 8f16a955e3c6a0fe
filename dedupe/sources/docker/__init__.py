"""Docker's store with a graph driver."""
