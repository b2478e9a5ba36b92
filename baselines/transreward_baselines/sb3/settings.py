"""Settings of Stable-Baselines3's agents, as commands here have them: those that were found for a robot, or for any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

ROLLOUT = 2048
"""Steps of all lanes together in a rollout of PPO, about: what is collected and never learned from would be wasted
target steps."""

PPO: Mapping[str, Any] = {
    "batch_size": 256,
    "n_epochs": 5,
    "learning_rate": 6e-4,
    "target_kl": 0.02,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "max_grad_norm": 0.8,
    "policy_kwargs": {"log_std_init": -0.5, "activation_fn": nn.Tanh, "net_arch": [64, 64]},
}

TUNED: Mapping[str, Mapping[str, Any]] = {
    "Hopper": {"batch_size": 64},
    "HalfCheetah": {
        "n_epochs": 10,
        "learning_rate": 1e-3,
        "target_kl": None,
        "gamma": 0.98,
        "gae_lambda": 0.92,
        "max_grad_norm": 0.5,
        "policy_kwargs": {"log_std_init": -2.0, "ortho_init": False, "activation_fn": nn.ReLU, "net_arch": [64, 64]},
    },
}
"""Settings of PPO by robot, where they differ."""

SAC: Mapping[str, Any] = {"batch_size": 256, "learning_rate": 3e-4, "gamma": 0.99}


def agent_settings(agent: str, robot: str) -> dict[str, Any]:
    """Return the keywords of an agent on a robot.

    Args:
        agent: ``sb3-ppo`` or ``sb3-sac``.
        robot: Its name.
    """
    return {**PPO, **TUNED.get(robot, {})} if agent == "sb3-ppo" else dict(SAC)


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON types, a class by its name."""
    return {
        name: as_json(value) if isinstance(value, Mapping) else value.__name__ if isinstance(value, type) else value
        for name, value in settings.items()
    }
