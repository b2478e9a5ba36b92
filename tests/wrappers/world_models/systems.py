"""Small systems whose episodes and outcomes are known."""

import numpy as np
import torch

from transreward_wrappers.datasets import Episode
from transreward_wrappers.world_models import EpisodeStore, ModelReport

STATE = np.array([[0.95, 0.1, 0.0], [-0.1, 0.9, 0.05], [0.0, 0.0, 0.8]])
ACTION = np.array([[0.0, 0.0], [0.3, 0.0], [0.1, 0.4]])


def linear_episode(
    seed: int, steps: int, *, most: float = 1.0, rewards: bool = True, terminated: bool = False
) -> Episode:
    """Return steps of ``s' = A s + B a``, with actions up to ``most`` and the first number of ``s'`` as reward."""
    generator = np.random.default_rng(seed)
    actions = generator.uniform(-most, most, (steps, 2)).astype(np.float32)
    observations = [generator.standard_normal(3)]
    for action in actions:
        observations.append(STATE @ observations[-1] + ACTION @ action)
    seen = np.array(observations)
    return Episode(
        observations=seen,
        actions=actions,
        rewards=seen[1:, 0] if rewards else np.full(steps, np.nan),
        terminated=terminated,
    )


def linear_store(*, episodes: int = 20, steps: int = 50, kind: str = "random", **settings: object) -> EpisodeStore:
    """Return a store of episodes of the linear system."""
    store = EpisodeStore(3, 2)
    store.add((linear_episode(seed, steps, **settings) for seed in range(episodes)), kind=kind)
    return store


class Linear:
    """The linear system as a model that knows it, and is the less sure the larger the actions are."""

    action_size = 2

    def __init__(self, report: ModelReport | None = None) -> None:
        self.report = report
        self.calls: list[int] = []

    def rollout(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls.append(len(actions))
        return self._imagine(states, actions), actions.abs().mean(dim=-1)

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self._imagine(states, actions)

    def _imagine(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        state, path = states.expand(len(actions), -1), []
        for step in range(actions.shape[1]):
            state = state @ torch.from_numpy(STATE.T).float() + actions[:, step] @ torch.from_numpy(ACTION.T).float()
            path.append(state)
        return torch.stack(path, dim=1)


SETTINGS = {
    "ensemble": {"hidden": 64, "updates": 300},
    "rssm": {"hidden": 64, "belief": 32, "stochastic": 6, "updates": 300, "length": 15, "reward": True},
}
"""Of models that are fitted to the linear system in a few seconds."""

TINY = {
    "ensemble": {"hidden": 8, "updates": 6, "batch_size": 16},
    "rssm": {"hidden": 8, "belief": 8, "stochastic": 3, "updates": 6, "length": 6, "batch_size": 4},
}
"""Of models that learn next to nothing, in no time."""
