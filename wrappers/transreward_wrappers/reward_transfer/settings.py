"""What reward transfer can be told: the keywords of its training ids."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from transreward_envs.correspondence import CorrespondenceLike, require_correspondence
from transreward_envs.errors import (
    require_below_one,
    require_count,
    require_name,
    require_non_negative,
    require_positive,
    require_share,
    unknown,
)
from transreward_envs.pairs import Pair
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.reward_transfer.source_data import SourceData
from transreward_wrappers.reward_transfer.source_policies import source_policy
from transreward_wrappers.reward_transfer.weight import LamMode, Weight

EstimatorName = Literal["reward", "optimal", "potential", "policy", "imitation"]
REWARDS: tuple[EstimatorName, ...] = ("reward", "optimal")
"""Estimators of a reward of the source's, ``r_S*``."""

OF_POLICY: tuple[EstimatorName, ...] = ("policy", "imitation")
"""Estimators that compare actions with those of a policy of the source, and need no data."""


@dataclass(kw_only=True, eq=False)
class TransferSettings:
    """Settings of :class:`~transreward_wrappers.reward_transfer.RewardTransfer`.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    lam: float | None = None
    """Weight of the source's reward [-]: 0 gives the target's own, 1 the source's; when left out, 0.5, and 10 for
    ``imitation``."""

    estimator: EstimatorName = "reward"
    """What is added: ``reward``, ``optimal``, ``potential``, ``policy`` or ``imitation``."""

    lam_mode: LamMode | None = None
    """``constant``, ``annealed``, ``similarity`` or ``variance``; when left out, ``annealed`` for ``policy``
    and ``imitation``, else ``constant``."""

    anneal_steps: int = 200_000
    """Target steps over which an annealed weight falls linearly to 0."""

    variance_steps: int = 10_000
    """Target steps from which ``variance`` takes the deviation of the target's rewards; lam counts in full before."""

    gamma: float = 0.99
    """Discount of ``optimal`` and ``potential``."""

    expectile: float = 0.7
    """Of the values' fit (implicit Q-learning): towards 1 those of the best actions in the data."""

    correspondence: CorrespondenceLike = None
    """Which joint of the target's robot is which of the source's: ``joints`` for those of one name, or the JSON of a
    :class:`~transreward_envs.correspondence.Correspondence`. When left out, that is ``joints`` where the robots differ,
    and nothing is mapped where they are one."""

    source_data: str = "rollout"
    """``rollout`` (a short run that learns by random search), ``policies`` (those that ship of the source, from
    snapshots of training to the expert), the path of a policy's file, or the id or folder of a dataset."""

    source_policy: str | None = None
    """Path of the file of the policy that ``policy`` and ``imitation`` compare with; the source's shipped expert when
    left out."""

    baseline_every: int = 64
    """Transitions for each gradient step of the agent's mean closeness, which ``imitation`` takes off."""

    fitted: str | None = None
    """Path of a fit to take over, such as ``transreward refine`` leaves, in place of a fit of one's own. An annealed
    weight goes on from the steps that the file has counted, which are none in what a refinement leaves."""

    fit_budget: int = 100_000
    """Source steps of the run that the fit learns from; a dataset is taken whole."""

    fit_updates: int = 3_000
    """Gradient steps of the fit of ``reward``."""

    value_updates: int = 10_000
    """Gradient steps of the fit of ``optimal`` and ``potential``."""

    random_share: float = 0.25
    """Share of the run's steps with uniformly random actions [-]; ``rollout`` takes 500 at the least."""

    horizon: int = 300
    """Steps after which random actions and the random search cut a rollout off."""

    members: int = 5
    """Networks in the ensemble; two at least, so that they can disagree."""

    hidden: int = 64
    """Units in each of the two hidden layers."""

    batch_size: int = 256
    """Transitions in a batch, for each member."""

    learning_rate: float = 1e-3
    """Adam's, falling linearly to a twentieth."""

    seed: int = 0
    """Of the source run, weights and batches."""

    def __post_init__(self) -> None:
        if self.lam is not None:
            require_non_negative("lam", self.lam)
        require_correspondence(self.correspondence)
        require_positive("learning_rate", self.learning_rate)
        require_positive("expectile", self.expectile)
        require_share("random_share", self.random_share)
        for name in ("gamma", "expectile"):
            require_below_one(name, getattr(self, name))
        counts = ("fit_budget", "horizon", "hidden", "batch_size", "anneal_steps", "variance_steps", "baseline_every")
        for name in counts:
            require_count(name, getattr(self, name), at_least=1)
        require_count("members", self.members, at_least=2)
        for name in ("fit_updates", "value_updates", "seed"):
            require_count(name, getattr(self, name))
        if self.estimator not in get_args(EstimatorName):
            raise ValueError(unknown("estimator", self.estimator, get_args(EstimatorName)))
        for name in ("source_data", "source_policy", "fitted"):
            require_name(name, getattr(self, name), optional=name != "source_data")
        if self.estimator in OF_POLICY and self.source_data != "rollout":
            raise ValueError(
                f"`source_data` is what the other estimators are fitted to; {self.estimator!r} compares with a policy "
                f"alone; got it as {self.source_data!r}. Leave it out, or give a policy's file as `source_policy`."
            )
        if self.source_policy is not None and self.estimator not in OF_POLICY:
            raise ValueError(
                f"`source_policy` is what the estimators {' and '.join(map(repr, OF_POLICY))} compare with; got it "
                f"with {self.estimator!r}. Leave it out, or give the file as `source_data`, to learn from what the "
                "policy does."
            )
        if (mode := self._mode) not in get_args(LamMode):
            raise ValueError(unknown("lam_mode", mode, get_args(LamMode)))
        if self.estimator in OF_POLICY and mode not in ("annealed", "constant"):
            raise ValueError(
                f"`lam_mode` of the estimator {self.estimator!r} must be 'annealed' or 'constant', because it has "
                f"neither an ensemble nor rewards of the source; got {mode!r}."
            )

    def weight(self) -> Weight:
        """Return the weight that the settings mean."""
        usual = 10.0 if self.estimator == "imitation" else 0.5
        return Weight(lam=usual if self.lam is None else self.lam, mode=self._mode, anneal_steps=self.anneal_steps)

    def data(self) -> SourceData:
        """Return where source transitions come from."""
        return SourceData(
            kind=self.source_data,
            budget=self.fit_budget,
            random_share=self.random_share,
            horizon=self.horizon,
            seed=self.seed,
        )

    def fit_settings(self) -> FitSettings:
        """Return sizes of the estimator's ensemble, and of its fit."""
        return FitSettings(
            members=self.members,
            hidden=self.hidden,
            updates=self.fit_updates if self.estimator == "reward" else self.value_updates,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )

    def fit_key(self, pair: Pair) -> dict[str, Any]:
        """Return the source domain and what the fit depends on; neither the target nor a weight is part of it."""
        source = {"robot": pair.robot_of("source").name, "keywords": pair.kwargs("source")}
        key: dict[str, Any] = {"source": source, "estimator": self.estimator}
        if self.estimator in OF_POLICY:
            begins = {"baseline": {"hidden": self.hidden, "seed": self.seed}} if self.estimator == "imitation" else {}
            return {**key, "policy": source_policy(self.source_policy, pair).key(), **begins}
        if self.estimator != "reward":
            key |= {"gamma": self.gamma, "expectile": self.expectile}
        return {**key, "data": self.data().key(pair), "fit": dataclasses.asdict(self.fit_settings())}

    @property
    def _mode(self) -> LamMode:
        return self.lam_mode or ("annealed" if self.estimator in OF_POLICY else "constant")
