"""Rewards by alignment with the source, for a target that has none (Telepath).

    r'(s') = mean_k f_k(s'),   f fitted to  (s'_i, sum_j W_ij r_j exp(-c_ij / tau))

where W aligns target observations with a recorded source trajectory, divided by the roots of its rows' and columns'
sums (or by either, see ``carry``), c are the costs, and r the source's rewards. What is aligned are the target's own
episodes, good and bad, and what a world model of the target imagines of actions that were searched to follow the
source. The step-by-step forms are in :mod:`transreward_wrappers.alignment.rewards`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box

from transreward_envs.correspondence import DomainMap, map_of_pair
from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair, Role
from transreward_wrappers.alignment import Reference
from transreward_wrappers.compensation import Compensation, Env, Float, Follower, Transitions
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw.follower import FollowReference
from transreward_wrappers.dtw.imagination import Imagination, Imagined
from transreward_wrappers.dtw.kept import (
    episodes_of,
    episodes_tensors,
    labels_of,
    labels_tensors,
    references_of,
    references_tensors,
)
from transreward_wrappers.dtw.labels import Labeller, Labels, identity
from transreward_wrappers.dtw.recorded import Recorded
from transreward_wrappers.dtw.settings import FOLLOWING, DTWSettings
from transreward_wrappers.dtw.stitching import Stitcher
from transreward_wrappers.dtw.target import PRIOR_SHARE, Kinds, TargetModel, first_episodes
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.policies import unscale_actions
from transreward_wrappers.regression import Regression
from transreward_wrappers.storage import load_tensors, save_tensors, with_prefix, without_prefix
from transreward_wrappers.world_models.model import AnyModel

RECENT = 5_000
"""Newest steps of the agent's on which a new reward model pays as much, on average, as the one before it."""

LABELS = 4
"""Counts the ways in which observations have been paid: a fit that was kept of another one is made anew."""

MOST_UNIT = 10.0
"""By how much what a new reward model says is scaled for that, up or down."""


@dataclass(kw_only=True, eq=False)
class DTW(DTWSettings, Compensation):
    """Pay for what looks like the source's trajectories, in place of the target's own reward, which is never read.

    - ``model``: a reward model over next observations. It is fitted before training, on ``fit_budget`` target steps and
      on what a world model makes of them, and again every ``refit_every`` steps with the agent's own episodes; every
      ``imagine_every`` times, the world model learns first. A reward model never pays more than the best, nor less than
      the worst, of what it was fitted to; a new one is scaled to pay the agent as it is what the one before it did, so
      that the agent's values stay true.
    - ``progress``: what of the best reference is newly covered, less what the distance has grown by.
    - ``increment``: minus what the distance has grown by; alone, it makes standing still at the start optimal.
    - ``shaping``: potential-based, beside the target's own reward.
    - ``alive``: 1 a step, the control.

    ``progress``, ``increment`` and ``shaping`` hang on the episode so far, which the agent does not see unless
    ``observe_progress`` is set. ``progress`` and ``increment`` pay nothing once the reference is over.
    Where the robots differ, target observations are mapped to the source's, and there is no world model, because the
    source has no state of the target's to plan from.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    acts_in: ClassVar[ActsIn] = "target"

    _pair: Pair | None = field(init=False, repr=False, default=None)
    _map: DomainMap | None = field(init=False, repr=False, default=None)
    _references: list[Reference] = field(init=False, repr=False, default_factory=list)
    _first: Kinds = field(init=False, repr=False, default_factory=dict)
    _actions: Box | None = field(init=False, repr=False, default=None)

    def check(self, pair: Pair) -> None:
        """Keep the pair, whose source makes references; find what its target's observations are to the source."""
        self._pair, self._map = pair, map_of_pair(pair, self.correspondence)

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build what depends on sizes."""
        self._sizes = [observation_size, action_size]
        self._features = self._map.source_sizes[0] if self._map else observation_size
        self._labeller = Labeller(
            to_source=self._map.observation if self._map else identity,
            method=self.alignment,
            carry=self.carry,
            tau=self.tau or float(self._features),
            window=self.horizon,
        )
        self._reward = Regression(observation_size, settings=self.fit_settings(), name="the aligned reward")
        self._range, self._unit = (0.0, 0.0), 1.0
        self._own = Stitcher(self.capacity)
        self._steps, self._rounds = 0, 0
        self._imagined: Labels | None = None
        self._target: TargetModel | None = None
        if self.imagines and self._map is None:
            assert self._pair is not None, "check(pair) comes before bind"
            self._target = TargetModel(self, self._pair, observation_size, action_size)

    @property
    def replaces(self) -> bool:
        """Whether the target's own reward is never read."""
        return not self.base_reward

    @property
    def follows(self) -> bool:
        """Whether what is paid hangs on the episode so far."""
        return self.reward in FOLLOWING

    @property
    def observed(self) -> int:
        """How many numbers are appended to observations."""
        return FollowReference.OBSERVED if self.observe_progress else 0

    @property
    def fits(self) -> bool:
        """Whether there is anything to fit."""
        return self.reward != "alive"

    @property
    def target_model(self) -> AnyModel | None:
        """The world model of the target, with its ``report``, to be saved and given to others; None without one."""
        return self._target.model if self._target is not None else None

    @property
    def references_followed(self) -> list[Reference]:
        """The references, the best first; none before a fit."""
        return list(self._references)

    def fit_steps(self) -> dict[Role, int]:
        """Return the source steps of references, and the target steps that the models are fitted to."""
        if not self.fits:
            return {}
        steps: dict[Role, int] = {"source": self.reference_data().steps()}
        return steps | {"target": self.fit_budget} if self.reward == "model" else steps

    def fit_key(self, pair: Pair) -> dict[str, Any]:
        """Return both domains, the settings, and what the references depend on."""
        given = self._target.digest() if self._target is not None else None
        references = self.reference_data().key(pair)
        learns = self._target is not None and self._target.prior.kind != "identity"
        prior = {"prior": PRIOR_SHARE} if learns else {}
        return {**super().fit_key(pair), "references": references, "world_model": given, "labels": LABELS, **prior}

    def fit(self, source: Env, target: Env) -> None:
        """Gather references; for ``model``, make the first target steps, and fit both models to them.

        Raises:
            ValueError: References are of another robot or domain, shorter than two steps, or not finite.
            StaleModelError: The world model in the file is of another domain.
        """
        assert self._pair is not None, "check(pair) comes before fit"
        self._references = self.reference_data().gather(source, self._pair)
        if self.reward != "model":
            return
        assert isinstance(target.action_space, Box)
        self._actions = target.action_space
        policy = None if self._map else self.reference_data().policy(self._pair)  # one of another robot cannot act here
        self._first = first_episodes(self, self._pair, target, policy)
        self._learn(anew=True)

    def follower(self, lanes: int) -> Follower:
        """Return what follows the best reference in some lanes."""
        assert self.reward != "model"
        assert self.reward != "alive"
        return FollowReference(
            self._references[0],
            lanes,
            form=self.reward,
            to_source=self._labeller.to_source,
            tau=self._labeller.tau,
            penalty=self.penalty / self._labeller.tau,
            gamma=self.gamma,
        )

    def __call__(self, batch: Transitions) -> Float:
        """Return what is paid for arriving at each next observation, as ``(B,)``."""
        if self.reward == "alive":
            return np.ones(len(batch))
        return self._paid(batch.next_observation)

    def update(self, batch: Transitions) -> None:
        """Keep the agent's own episodes, and learn from them when it is time to."""
        if self.reward != "model" or not self.refit_every:
            return
        assert self._actions is not None, "a fit or a load comes before any step"
        self._own.add(batch, unscale_actions(batch.action, self._actions))
        self._steps += len(batch)
        if self._steps // self.refit_every > self._rounds:
            before, self._rounds = self._rounds, self._steps // self.refit_every
            self._learn(anew=self._rounds // self.imagine_every > before // self.imagine_every)

    def share(self, directory: Path) -> None:
        """Say that what learns from the agent's own episodes does so in each process by itself."""
        if self.reward == "model" and self.refit_every:
            warnings.warn(
                "Processes share a budget of target steps, but not the models of DTW: each learns from its own "
                "episodes, and comes to pay differently. Give refit_every=0, or train lanes in one process.",
                stacklevel=2,
            )

    def diagnostics(self) -> dict[str, float]:
        """Return the rounds of learning so far, how far the world model sees, and how many imagined steps count."""
        figures = {"rounds": float(self._rounds)} if self.reward == "model" else {}
        if self._target is None:
            return figures
        steps = len(self._imagined.rewards) if self._imagined else 0
        return {**figures, **self._target.figures(), "imagined_steps": float(steps)}

    def imagine(self, segments: int, *, seed: int) -> Iterator[Imagined]:
        """Yield pieces of references, and what the world model imagines in their place; none where it knows too little.

        Args:
            segments: Number of pieces.
            seed: Of places and searches.

        Raises:
            ValueError: There is no world model.
        """
        if self._target is None:
            raise ValueError(
                "To imagine takes a world model: the form 'model', aligned by 'dtw', with `segments` > 0, of a pair of "
                f"one robot; got {self.reward!r}, {self.alignment!r} and segments={self.segments}."
            )
        imagination = Imagination(
            model=self._target.model,
            prior=self._target.prior,
            labeller=self._labeller,
            settings=self.plan_settings(),
            bad=self.bad,
            trust=self.trust,
            recorded=Recorded(self._episodes(), self.horizon),
        )
        return imagination(self._references, segments, seed=seed)

    def save(self, path: Path) -> None:
        """Write references, both models, and what they learn from."""
        tensors = {
            **with_prefix("references", references_tensors(self._references)),
            **with_prefix("reward", self._reward.tensors()),
            **with_prefix("own", episodes_tensors(self._own.all_episodes())),
            **with_prefix("imagined", labels_tensors(self._imagined)),
        }
        for kind, episodes in self._first.items():
            tensors |= with_prefix(f"first.{kind}", episodes_tensors(episodes))
        if self._actions is not None:
            tensors["actions"] = torch.from_numpy(np.stack([self._actions.low, self._actions.high]))
        counts = {"steps": self._steps, "rounds": self._rounds}
        paid = {"range": self._range, "unit": self._unit}
        about: dict[str, Any] = {**self._kept_of(), **counts, **paid}
        about["first"] = list(self._first)  # in the order that seeded draws go by
        if self._target is not None and self._target.fitted:
            tensors |= with_prefix("model", self._target.tensors())
            about["model"] = self._target.about()
        save_tensors(path, tensors, about)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: It is not what was written, or of other sizes or another form.
            StaleModelError: Its world model is of another domain.
        """
        tensors, about = load_tensors(path)
        for name, mine in self._kept_of().items():
            if about.get(name) != mine:
                raise CorruptFileError(f"{path} is of {name} {about.get(name)!r}, not {mine!r}. Delete it.")
        if self._target is not None and "model" not in about:
            raise CorruptFileError(f"{path} is of rewards without a world model. Give `segments=0`, or delete it.")
        self._references = references_of(without_prefix("references", tensors))
        self._reward.restore(without_prefix("reward", tensors))
        first = without_prefix("first", tensors)
        kinds = about.get("first") or dict.fromkeys(name.partition(".")[0] for name in first)
        self._first = {kind: episodes_of(without_prefix(kind, first)) for kind in kinds}
        if "actions" in tensors:
            low, high = tensors["actions"].numpy()
            self._actions = Box(low, high, dtype=low.dtype.type)
        self._own.restore(episodes_of(without_prefix("own", tensors)))
        self._imagined = labels_of(without_prefix("imagined", tensors)) if self._target is not None else None
        self._steps, self._rounds = about["steps"], about["rounds"]
        self._range, self._unit = tuple(about["range"]), about["unit"]
        if self._target is not None:
            self._target.restore(path, without_prefix("model", tensors), about["model"])

    def _kept_of(self) -> dict[str, Any]:
        """Return what a file has to agree in, as JSON types."""
        kinds = {"form": self.reward, "alignment": self.alignment, "carry": self.carry}
        return {"sizes": self._sizes, **kinds, "labels": LABELS}

    def _learn(self, *, anew: bool) -> None:
        """Fit the reward model to all episodes and what is imagined, by a world model that learns first if ``anew``."""
        if self._target is not None and anew:
            self._target.fit(self._first, self._own.episodes())
            self._imagined = self._imagine_anew()
        imagined = [self._imagined] if self._imagined is not None else []
        joined = Labels.join([*self._labeller.of_episodes(self._episodes(), self._references), *imagined])
        recent = self._own.recent(RECENT)
        before = self._paid(recent).mean() if len(recent) else 0.0
        self._reward.fit(joined.observations.astype(np.float32), joined.rewards)
        self._range, self._unit = (float(joined.rewards.min()), float(joined.rewards.max())), 1.0
        if len(recent) and (now := self._paid(recent).mean()) > 0.0:
            self._unit = float(np.clip(before / now, 1.0 / MOST_UNIT, MOST_UNIT))

    def _episodes(self) -> list[Episode]:
        """Return the target's episodes, the agent's own among them."""
        return [*chain.from_iterable(self._first.values()), *self._own.episodes()]

    def _paid(self, observations: Float) -> Float:
        """Return what arriving at each observation is paid, as ``(B,)``."""
        return self._unit * self._reward(observations.astype(np.float32))[0].clip(*self._range)

    def _imagine_anew(self) -> Labels | None:
        """Return what the world model imagines in this round, and what it is worth; None where it knows too little."""
        pieces = self.imagine(self.segments, seed=self.seed + self._rounds)
        labels = [label for piece in pieces for label in piece.labels]
        return Labels.join(labels) if labels else None
