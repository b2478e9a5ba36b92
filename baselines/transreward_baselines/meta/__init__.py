"""What meta-reinforcement learning takes: tasks drawn from pairs, whole episodes, task inference, relabelling."""
