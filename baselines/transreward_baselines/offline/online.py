"""What goes on after learning offline: each run's policy acts in a lane of the target, and learns from that as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_baselines.lanes import Lanes, make_lanes
from transreward_baselines.offline.agent import Explores, OfflineAgent, Revises
from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import Streams, generator_of
from transreward_envs import get_pair

REVISED_EVERY = 1_000
"""Steps after which an agent that looks at whole episodes looks at the fresh ones."""


class Collector:
    """Steps the policies of all runs, each in its own lane of a pair's target, and adds what they meet to their data.

    Args:
        args: Of the script.
        data: Of the runs, with room for what they meet.
        streams: Random numbers of the runs.
        agent: The policies.
    """

    def __init__(self, args: OfflineArgs, data: OfflineData, streams: Streams, agent: OfflineAgent) -> None:
        assert data.fresh is not None
        self._args, self._data, self._streams, self._agent, self._fresh = args, data, streams, agent, data.fresh
        self._lanes = Lanes(make_lanes(get_pair(args.pair).spec("target"), len(args.runs), threads=args.torch_threads))
        self._seen: NDArray[np.float64] | None = None

    def step(self, step: int) -> None:
        """Take a step in all lanes; after a cut, in new episodes, whose seeds follow from how many steps there were."""
        if self._seen is None:
            self._seen = self._lanes.reset([_seed(run.seed, step) for run in self._args.runs])
            self._show()
        actions = self._act(self._seen)
        steps = self._lanes.step(actions.numpy())
        kept: dict[str, Any] = {
            "observations": self._seen,
            "actions": actions,
            "rewards": steps.rewards,
            "next_observations": np.where(steps.failed[:, None], self._seen, steps.last_observations),
            "terminated": steps.terminated,
            "truncated": steps.done & ~steps.terminated,
        }
        device = self._data.mean.device
        self._fresh.add({field: torch.as_tensor(values).float().to(device) for field, values in kept.items()})
        self._seen = steps.observations
        if not isinstance(self._agent, Revises) or self._fresh.count % REVISED_EVERY == 0:
            self._show()

    def cut(self) -> None:
        """End all episodes, so that runs that go on from here need not know how they stood."""
        if self._seen is not None:
            self._fresh.cut()
            self._seen = None

    def close(self) -> None:
        """Close the lanes."""
        self._lanes.close()

    def _show(self) -> None:
        self._fresh.show()
        if isinstance(self._agent, Revises):
            self._agent.revise()

    @torch.no_grad()
    def _act(self, observations: NDArray[np.float64]) -> torch.Tensor:
        """Return what each run does in its lane, as ``(R, action_size)``; nothing where it has diverged."""
        seen = torch.from_numpy(observations).float().to(self._data.mean.device)[:, None]
        seen = self._data.normalised(seen)
        if isinstance(self._agent, Explores):
            actions = self._agent.explore(seen)
        else:
            noise = self._streams.normal("explored", 1, self._data.action_size)
            actions = self._agent.act(seen) + self._args.exploration_noise * noise
        return actions[:, 0].float().nan_to_num(nan=0.0).clamp(-1.0, 1.0).cpu()


def _seed(seed: int, step: int) -> int:
    """Return the seed of a run's episodes from a step on, by nothing but its own."""
    return generator_of(seed, "lane", step).initial_seed()
