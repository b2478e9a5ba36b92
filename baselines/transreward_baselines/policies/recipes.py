"""How each robot's policies are trained: settings of the scripts here, the same for all of a robot's domains."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]

SOURCES: dict[str, Settings] = {
    "Hopper": {"total_steps": 2_000_000},
    "Walker2d": {"total_steps": 5_000_000},
    "HalfCheetah": {},
    "Ant": {"total_steps": 8_000_000, "num_envs": 64, "minibatch_size": 512, "log_std": -1.0},
    "Humanoid": {"total_steps": 8_000_000, "num_envs": 64, "minibatch_size": 512, "log_std": -1.0, "hidden": 128},
    "Swimmer": {"total_steps": 2_000_000, "gamma": 0.9999, "num_steps": 128},
    "Reacher": {"total_steps": 1_000_000, "gamma": 0.9},
    "Reacher7": {"total_steps": 2_000_000, "gamma": 0.95},
    "Pusher": {"total_steps": 3_000_000, "gamma": 0.95},
    "InvertedPendulum": {"total_steps": 300_000},
    "InvertedDoublePendulum": {"total_steps": 1_000_000},
}
"""Of PPO, on the plain robot from scratch, and in its shifted domains."""

SAC_SOURCES: dict[str, Settings] = {"HalfCheetah": {"total_steps": 600_000}}
"""Of SAC, on plain robots where PPO stays far below it; the expert is taught to a network of PPO's."""

TARGETS: dict[str, int] = {
    "Hopper": 600_000,
    "Walker2d": 1_000_000,
    "HalfCheetah": 1_000_000,
    "Ant": 1_000_000,
    "Humanoid": 1_000_000,
    "Swimmer": 500_000,
    "Reacher": 300_000,
    "Reacher7": 300_000,
    "Pusher": 500_000,
    "InvertedPendulum": 100_000,
    "InvertedDoublePendulum": 300_000,
}
"""Steps from the source's expert on, the same for every shifted domain of a robot."""

FINE_TUNING: Settings = {"log_std": -0.5}
"""What differs when a policy is fine-tuned: as much noise as at the start of a training from scratch.

With less, a policy stays where the shift has thrown it: on Hopper-mass-2.0, where the source's expert falls at 345, a
deviation of exp(-1.5) ended at 374 and one of exp(-0.5) at 3,024; a training from scratch ended at 496.
"""

EVALUATIONS = {"source": 80, "target": 20}
"""Policies that a run keeps."""
