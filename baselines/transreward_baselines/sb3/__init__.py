"""Lanes and replay buffers for Stable-Baselines3; the agents are its own."""

from transreward_baselines.sb3.drae import DRaEReplayBuffer, drae_replay
from transreward_baselines.sb3.lanes import make_vec
from transreward_baselines.sb3.replay import CompensatedReplayBuffer, compensated_replay

__all__ = ["CompensatedReplayBuffer", "DRaEReplayBuffer", "compensated_replay", "drae_replay", "make_vec"]
