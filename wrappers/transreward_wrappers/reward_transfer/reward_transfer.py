"""Reward transfer: the target's reward moved towards the source's (TransReward).

    r' = r + lam * (r_S* - r)

with ``r_S*`` learnt from source data; and two forms that pay for the source's values, or for its policy's actions.
Where the robots differ, what the source judges is mapped to it by a correspondence of their joints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from gymnasium.spaces import Box

from transreward_envs.correspondence import DomainMap, map_of_pair
from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair, Role
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.compensation import Compensation, Env, Float, Transitions
from transreward_wrappers.correspondence import in_source
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.policies import for_sizes
from transreward_wrappers.reward_transfer.closeness import Closeness
from transreward_wrappers.reward_transfer.coverage import Coverage
from transreward_wrappers.reward_transfer.estimate import Estimate, Estimator
from transreward_wrappers.reward_transfer.fitting import FitFigures, hold_out
from transreward_wrappers.reward_transfer.imitation import Imitation
from transreward_wrappers.reward_transfer.optimal import Optimal
from transreward_wrappers.reward_transfer.potential import Potential
from transreward_wrappers.reward_transfer.reward_model import RewardModel
from transreward_wrappers.reward_transfer.settings import OF_POLICY, REWARDS, TransferSettings
from transreward_wrappers.reward_transfer.source_policies import source_policy
from transreward_wrappers.reward_transfer.tally import Tally
from transreward_wrappers.reward_transfer.values import Values
from transreward_wrappers.storage import load_tensors, save_tensors, with_prefix, without_prefix

LOOK_EVERY = 8
"""One in so many states that pass through is looked up in the source data."""


@dataclass(kw_only=True, eq=False)
class RewardTransfer(TransferSettings, Compensation):
    """Pay for what the source would have paid for, while the agent acts in the target.

    What is added to the target's reward r, by ``estimator``:

    - ``reward``: ``lam (r_S*(s, a) - r)``, with the reward that the source gives at the same (s, a);
    - ``optimal``: ``lam (r_S* - r)``, with ``r_S* = Q_S(s, a) - gamma (1 - terminated) V_S(s')``;
    - ``potential``: ``lam (gamma (1 - terminated) V_S(s') - V_S(s))``, which leaves the target's optimal policy as it
      is, for an agent that bootstraps truncations and has this very ``gamma``;
    - ``policy``: ``lam c(s, a)``, with ``c = -mean_i (a_i - pi_S(s)_i)^2`` of actions in [-1, 1], and a weight that is
      annealed to 0;
    - ``imitation``: ``lam (c(s, a) - b(s))``, with the mean b of c over the agent's own actions in s, annealed too: the
      agent is taught actions, and not to look for states in which they are easy.

    It is fitted on first use. Target states far from the source data get a guess: ``diagnostics()`` has ``spread``, the
    ensemble's disagreement on what passes through in units of that on data held out of the fit, and ``coverage``, the
    share of states that are near the source's. A state of the source itself counts as near in 95 of 100 cases.

    In a task that can terminate, a constant difference between the two rewards changes what staying alive is worth.
    With ``optimal``, a termination that the source would not have had is paid with all that the source expected beyond.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    acts_in: ClassVar[ActsIn] = "target"

    _pair: Pair | None = field(init=False, repr=False, default=None)
    _map: DomainMap | None = field(init=False, repr=False, default=None)
    _figures: FitFigures = field(init=False, repr=False, default=FitFigures())

    def check(self, pair: Pair) -> None:
        """Keep the pair, whose source's policies a fit may ask for; find what its target's spaces are to the source."""
        self._pair, self._map = pair, map_of_pair(pair, self.correspondence)

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build what depends on sizes, which are those of the source's spaces."""
        self._sizes = list(self._map.source_sizes) if self._map else [observation_size, action_size]
        self._estimator, self._weight = self._make_estimator(), self.weight()
        self._coverage = Coverage(self._sizes[0])
        self._tally = Tally(self.variance_steps)
        self._last: tuple[Transitions, Transitions, Estimate, Float | float] | None = None
        if self.fitted is not None:
            self._take_over(Path(self.fitted))

    @property
    def fits(self) -> bool:
        """Whether there is anything to fit."""
        return self.fitted is None

    def fit_steps(self) -> dict[Role, int]:
        """Return the source steps in the data that are fitted to; those of a policy's training are not among them."""
        return {} if self.estimator in OF_POLICY else {"source": self._figures.transitions or self.data().steps()}

    def fit(self, source: Env, target: Env) -> None:
        """Gather source data and learn from them, or take over a policy; no target step is taken.

        Raises:
            ValueError: The data or the policy are of another robot or domain, or there are none.
        """
        if self._pair is None:
            raise RuntimeError("`check(pair)` comes before `fit`, which may ask for the policies of the pair's source.")
        if isinstance(self._estimator, Closeness):
            assert isinstance(source.action_space, Box)
            policy = for_sizes(source_policy(self.source_policy, self._pair), self._pair, *self._sizes)
            self._estimator.imitate(policy, source.action_space)
            return
        self.learn(self.data().gather(source, self._pair))

    def learn(self, data: Transitions) -> None:
        """Fit to source transitions; what was fitted before is forgotten, what passed through is not.

        Raises:
            ValueError: There are none, or some are not finite.
        """
        kept, held = hold_out(data)
        self._estimator.fit(kept)
        self._coverage.fit(kept.observation, held.observation, seed=self.seed)
        estimate, variance = self._estimator(held), float(held.reward.var())
        explains = self.estimator in REWARDS and variance > 0.0
        self._figures = FitFigures(
            transitions=len(data),
            spread=float(np.mean(estimate.spread if estimate.spread is not None else 0.0)) + 1e-12,
            deviation=float(data.reward.std()),
            unexplained=float(np.square(estimate.amount).mean() / variance) if explains else None,
        )

    def forget_steps(self) -> None:
        """Count steps anew, for another agent; the deviation of the target's rewards stays known."""
        self._tally.forget()

    def begin_round(self, data: Transitions, passed: Transitions) -> None:
        """Fit anew, and take the deviation of the target's rewards from transitions of the agent as it is now.

        Args:
            data: All source transitions to fit to.
            passed: Target transitions.
        """
        self.learn(data)
        self._tally.begin_round(float(passed.reward.std()))

    def __call__(self, batch: Transitions) -> Float:
        """Return what is added, as ``(B,)``: with the weight as it is now at both ends of a transition."""
        return self._weigh(batch, advance=0)

    def passing(self, batch: Transitions) -> Float:
        """Return what is added, as ``(B,)``: at the end of a transition with the weight of the lane's next step.

        So an episode's potentials cancel out while the weight is annealed or measured, too: in one environment, and
        in lanes that step together. Where environments step one after the other, as joined ones and those of several
        processes do, others count between two steps of one, and what is left over is the weight's change in between.
        """
        return self._weigh(batch, advance=len(batch))

    def _weigh(self, batch: Transitions, advance: int) -> Float:
        mapped, steps, deviation = in_source(batch, self._map), self._tally.steps, self._tally.deviation
        estimate = self._estimator(mapped)
        weight = self._weight_of(estimate.spread, steps, deviation)
        delta: Float = weight * estimate.amount
        if estimate.next_amount is not None:
            if advance:
                deviation = self._tally.deviation_with(batch.reward)
            following = self._weight_of(estimate.next_spread, steps + advance, deviation)
            delta = delta + following * estimate.next_amount
        self._last = batch, mapped, estimate, weight
        return delta

    def update(self, batch: Transitions) -> None:
        """Count the transitions, and look some of their states up in the source data."""
        if self._last is None or self._last[0] is not batch:
            self(batch)
            assert self._last is not None
        _, mapped, estimate, weight = self._last
        self._tally.add_rewards(batch.reward)
        if estimate.spread is not None:
            looked_up = mapped.observation[-self._tally.steps % LOOK_EVERY :: LOOK_EVERY]
            covered = float(self._coverage(looked_up).sum()) if len(looked_up) else 0.0
            self._tally.add(spread=float(estimate.spread.sum()), looked_up=len(looked_up), covered=covered)
        self._estimator.observe(mapped, estimate)
        count = len(batch)
        self._tally.add(steps=count, counted=count, weight=float(np.broadcast_to(weight, count).sum()))

    def reseed(self, seed: int) -> None:
        """Draw batches from ``seed`` on."""
        self._estimator.reseed(seed)

    def source_reward(self, batch: Transitions) -> Float:
        """Return ``r_S*`` itself, as ``(B,)``.

        Raises:
            ValueError: The estimator has none.
        """
        if self.estimator not in REWARDS:
            raise ValueError(f"The estimators 'reward' and 'optimal' have an r_S*; got {self.estimator!r}.")
        return batch.reward + self._estimator(in_source(batch, self._map)).amount

    def save(self, path: Path) -> None:
        """Write what was fitted, and the counts of what passed through."""
        tensors = {
            **with_prefix("estimator", self._estimator.tensors()),
            **with_prefix("coverage", self._coverage.tensors()),
        }
        about = {
            "sizes": self._sizes,
            "estimator": self.estimator,
            "gamma": self.gamma,
            "source": self._source(),
            "figures": self._figures.to_json(),
            "tally": self._tally.state(),
            "more": self._estimator.about(),
        }
        save_tensors(path, tensors, about)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
        tensors, about = load_tensors(path)
        for name, mine in (("sizes", self._sizes), ("estimator", self.estimator)):
            if about.get(name) != mine:
                raise CorruptFileError(f"{path} is of {name} {about.get(name)!r}, not {mine!r}. Delete it.")
        if self.estimator in ("optimal", "potential") and (theirs := about.get("gamma")) != self.gamma:
            raise CorruptFileError(f"{path} holds values of discount {theirs}, not {self.gamma}. Delete it.")
        here, there = self._source(), about.get("source")
        if None not in (here, there) and here != there:
            raise CorruptFileError(f"{path} is of the source {there}, not {here}. Delete it.")
        self._estimator.restore(without_prefix("estimator", tensors), about["more"])
        self._coverage.load_tensors(without_prefix("coverage", tensors))
        self._figures = FitFigures(**about["figures"])
        self._tally.restore(about["tally"])

    def share(self, directory: Path) -> None:
        """Count together with other processes, which share the weight thereby."""
        self._tally.share(directory / "reward-transfer.json")

    def diagnostics(self) -> dict[str, float]:
        """Return what the fit leaves unexplained, and means over what passed through."""
        spread = self._tally.mean("spread")
        figures = {
            "unexplained": self._figures.unexplained,
            "weight": self._tally.mean("weight"),
            "spread": spread / self._figures.spread if spread else None,
            "coverage": self._tally.mean("covered", per="looked_up"),
        }
        known = {name: figure for name, figure in figures.items() if figure is not None}
        return {**known, **self._estimator.diagnostics()}

    def _take_over(self, path: Path) -> None:
        """Read the fit that the settings name.

        Raises:
            ValueError: It is none, or of another estimator or source.
        """
        try:
            self.load(path)
        except (FileNotFoundError, CorruptFileError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"`fitted` must be the file of a fit of the estimator {self.estimator!r} to the source "
                f"{self._source()!r}, for observations of {self._sizes[0]} and actions of {self._sizes[1]} numbers, as "
                f"`transreward refine` leaves; got {path} ({str(error).removesuffix(' Delete it.')})."
            ) from error

    def _source(self) -> str | None:
        """Return the name of the source domain, where the pair is known."""
        return None if self._pair is None else domain_name(self._pair, "source")

    def _weight_of(self, spread: Float | None, steps: int, deviation: float | None) -> Float | float:
        """Return the weight after so many steps, by the target's deviation then, as ``(B,)`` or one for all."""
        return self._weight(
            spread,
            unit=self._figures.spread,
            steps=steps,
            source_deviation=self._figures.deviation,
            target_deviation=deviation,
        )

    def _make_estimator(self) -> Estimator:
        """Return the estimator, before it is fitted."""
        observation_size, action_size = self._sizes
        meant = self._map.action.mapped if self._map else None
        if self.estimator == "policy":
            return Closeness(meant)
        if self.estimator == "imitation":
            return Imitation(observation_size, settings=self.fit_settings(), every=self.baseline_every, meant=meant)
        if self.estimator == "reward":
            return RewardModel(observation_size, action_size, settings=self.fit_settings())
        values = Values(
            observation_size, action_size, gamma=self.gamma, expectile=self.expectile, settings=self.fit_settings()
        )
        return {"optimal": Optimal, "potential": Potential}[self.estimator](values, gamma=self.gamma)
