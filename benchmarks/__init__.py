"""What things cost: times and memory, measured by `make bench`."""
