"""Pictures of how two trajectories align."""
