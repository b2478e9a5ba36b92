"""What the agents of several scripts, or one that would be too long, are made of."""
