"""Where source transitions come from: a run of one's own, shipped policies, a policy in a file, or a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transreward_envs.pairs import Pair
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_wrappers.compensation import Env, Transitions
from transreward_wrappers.datasets import Dataset, load_dataset
from transreward_wrappers.datasets.domain import require_domain
from transreward_wrappers.policies import GaussianPolicy, for_sizes, scale_actions
from transreward_wrappers.reward_transfer.recorder import Recorder
from transreward_wrappers.reward_transfer.source_policies import shipped_mixture
from transreward_wrappers.reward_transfer.source_run import LEAST_RANDOM, search

RUNS = ("rollout", "policies")
POLICY_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceData:
    """Source transitions: where from, and how many.

    A run makes ``random_share`` of its ``budget`` by uniformly random actions. The rest is that of

    - ``rollout``: a linear policy that learns by random search, after 500 random steps at the least;
    - ``policies``: the shipped policies of the source, equal shares from the worst snapshot to the expert, each drawing
      its actions;
    - a file of a policy: that policy, drawing its actions.

    Anything else is the id or the folder of a dataset in Minari's format, which is taken whole.
    """

    kind: str
    """``rollout``, ``policies``, the path of a policy's file, or a dataset's id or folder."""

    budget: int
    """Transitions of a run."""

    random_share: float
    """Share of them by random actions [-]."""

    horizon: int
    """Steps after which random actions and the search cut a rollout off."""

    seed: int
    """Of the run."""

    def steps(self) -> int:
        """Return the number of transitions."""
        return self._dataset().total_steps if self._is_dataset else self.budget

    def key(self, pair: Pair) -> dict[str, Any]:
        """Return what the transitions depend on besides the source itself, as JSON types."""
        if self._is_dataset:
            return {"dataset": self._dataset().digest()}
        policies = [policy.key() for policy in self._policies(pair)]
        run = {name: getattr(self, name) for name in ("budget", "random_share", "horizon", "seed")}
        return {**run, "policies": policies}

    def gather(self, source: Env, pair: Pair) -> Transitions:
        """Return the transitions.

        Args:
            source: The source domain, with a time limit.
            pair: Whose source it is.

        Raises:
            ValueError: A policy or a dataset is of another robot or domain, or there is none.
        """
        if self._is_dataset:
            dataset = self._dataset()
            require_domain(dataset, source, pair, "source", setting="source_data")
            return dataset.transitions().as_transitions(DOMAIN_INDEX["source"])
        space = source.action_space
        sizes = [int(np.prod(one.shape or ())) for one in (source.observation_space, space)]
        policies = [for_sizes(policy, pair, *sizes) for policy in self._policies(pair)]
        generator = np.random.default_rng(self.seed)
        with Recorder(source, budget=self.budget, seed=self.seed) as recorder:
            at_random = int(self.budget * self.random_share)
            if not policies:
                at_random = min(max(at_random, LEAST_RANDOM), self.budget)
            act_at_random(recorder, generator, horizon=self.horizon, until=at_random)
            for index, policy in enumerate(policies, start=1):
                share = (self.budget - at_random) * index // len(policies)
                act(recorder, policy, generator, until=at_random + share)
            if not policies:
                search(recorder, generator, horizon=self.horizon)
        return recorder.transitions()

    @property
    def _is_dataset(self) -> bool:
        return self.kind not in RUNS and not self.kind.endswith(POLICY_SUFFIX)

    def _policies(self, pair: Pair) -> list[GaussianPolicy]:
        """Return the policies that act, none for a search."""
        if self.kind == "rollout":
            return []
        return shipped_mixture(pair) if self.kind == "policies" else [GaussianPolicy.load(Path(self.kind))]

    def _dataset(self) -> Dataset:
        try:
            return load_dataset(self.kind)
        except FileNotFoundError as error:
            raise ValueError(
                f"`source_data` must be {' or '.join(map(repr, RUNS))}, the path of a policy's file "
                f"(*{POLICY_SUFFIX}), or the id or folder of a dataset; got {self.kind!r}. {error}"
            ) from error


def act_at_random(recorder: Recorder, generator: np.random.Generator, *, horizon: int, until: int) -> None:
    """Draw actions uniformly, up to ``until`` transitions in all."""
    space: Any = recorder.env.action_space
    while len(recorder) < until:
        recorder.rollout(lambda _: generator.uniform(space.low, space.high), horizon=horizon, until=until)


def act(recorder: Recorder, policy: GaussianPolicy, generator: np.random.Generator, *, until: int) -> None:
    """Draw a policy's actions, up to ``until`` transitions in all."""
    space: Any = recorder.env.action_space
    while len(recorder) < until:
        recorder.rollout(
            lambda observation: scale_actions(policy.sample(observation[None], generator)[0][0], space), until=until
        )
