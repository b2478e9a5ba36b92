"""What all learned world models have in common: checks, the fit, the judgement by held-out data, and files."""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch

from transreward_envs.errors import require_count
from transreward_wrappers.networks import one_thread, seeded
from transreward_wrappers.storage import Tensors, tensors_digest
from transreward_wrappers.world_models.checks import require_domain, require_runs, require_steps
from transreward_wrappers.world_models.descent import Stage, descend
from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.errors import HorizonWarning, PoorModelWarning, StaleModelError
from transreward_wrappers.world_models.files import key_of, read_model, require_identity, write_model
from transreward_wrappers.world_models.judging import judge, residual
from transreward_wrappers.world_models.network import Network
from transreward_wrappers.world_models.protocol import Values
from transreward_wrappers.world_models.report import STEPS, ModelReport
from transreward_wrappers.world_models.settings import ModelSettings
from transreward_wrappers.world_models.windows import Stretches

S = TypeVar("S", bound=ModelSettings)
N = TypeVar("N", bound=Network)


class LearnedModel(ABC, Generic[S, N]):
    """A world model (see :mod:`.protocol`) by a network.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        settings: Sizes, and the fit.
        domain: Whose model it is, as JSON types, such as :func:`domain_of` gives; a file of another's is refused.
    """

    kind: ClassVar[str]
    """Name by which it is chosen."""

    def __init__(
        self, observation_size: int, action_size: int, *, settings: S, domain: Mapping[str, Any] | None = None
    ) -> None:
        require_count("observation_size", observation_size, at_least=1)
        require_count("action_size", action_size, at_least=1)
        self.observation_size, self.action_size = observation_size, action_size
        self.settings, self.domain = settings, dict(domain or {})
        self.report: ModelReport | None = None
        self.fitted_to: str | None = None
        with seeded(settings.seed):
            self.network = self._build()

    @abstractmethod
    def _build(self) -> N:
        """Return the network with initial weights."""

    @abstractmethod
    def _stages(self, updates: int) -> list[Stage]:
        """Return what gradient steps there are."""

    @property
    @abstractmethod
    def _batch(self) -> tuple[int, ...]:
        """Return the shape of a batch of windows."""

    @property
    def state_size(self) -> int:
        """Return the length of a state."""
        return self.network.state_size

    def identity(self) -> dict[str, Any]:
        """Return what the model is of, as JSON types; files are refused by a hash of it."""
        return {
            "kind": self.kind,
            "observation_size": self.observation_size,
            "action_size": self.action_size,
            "settings": self.settings.to_json(),
            "domain": self.domain,
        }

    def digest(self) -> str:
        """Return what tells this model, its weights included, from all others."""
        return tensors_digest(self.network.state_dict(), key_of(self.identity()))

    @torch.no_grad()
    def infer(self, observations: Values, actions: Values | None = None) -> torch.Tensor:
        """Return the states at the ends of runs of observations, as ``(B, state_size)``.

        Args:
            observations: As ``(B, L, observation_size)``.
            actions: Between them, in ``[-1, 1]``, as ``(B, L - 1, action_size)``; ``None`` where nobody knows them.

        Raises:
            RuntimeError: The model is not fitted.
            ValueError: Shapes do not fit together, or values are not finite.
        """
        self._require_fitted()
        runs, between = require_runs(observations, actions, self.observation_size, self.action_size)
        return self.network.infer(runs, between)

    def rollout(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Imagine what actions lead to.

        Args:
            states: Where from, as ``(N, state_size)`` or ``(1, state_size)``.
            actions: In ``[-1, 1]``, as ``(N, H, action_size)``.

        Returns:
            Observations, one after each action, as ``(N, H, observation_size)``, and how unsure the model is of them
            [observation standard deviations], as ``(N, H)``.

        Raises:
            RuntimeError: The model is not fitted.
            ValueError: Shapes do not fit together.
        """
        states = self._prepare(states, actions)
        with torch.no_grad(), one_thread():
            return self.network.imagine(states, actions)

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Imagine as :meth:`rollout` does, but in less time and less well, and without a spread."""
        states = self._prepare(states, actions)
        with torch.no_grad(), one_thread():
            return self.network.draft(states, actions)

    def fit(self, store: EpisodeStore, *, updates: int | None = None, afresh: bool = True) -> ModelReport:
        """Learn from episodes, with a progress bar, and judge by those that were held out.

        Args:
            store: The episodes.
            updates: Gradient steps; those of the settings when left out.
            afresh: Whether to forget what was learnt; otherwise weights go on, and scales stay.

        Raises:
            ValueError: The episodes are of other sizes, or too few.
            FloatingPointError: The loss is not finite.
        """
        if updates is not None:
            require_count("updates", updates)
        require_domain(store, self.observation_size, self.action_size)
        train, held = store.split()
        self._begin(train, afresh=afresh or self.fitted_to is None)
        start = time.process_time()
        with one_thread():
            descend(
                self.network,
                self.network.loss,
                train,
                self._stages(self.settings.updates if updates is None else updates),
                batch=self._batch,
                learning_rate=self.settings.learning_rate,
                generator=torch.Generator().manual_seed(self.settings.seed),
                name=f"the {self.kind} world model",
            )
        self.fitted_to = store.digest()
        self.report = self._judge(held, len(train), time.process_time() - start)
        _warn_of(self.report)
        return self.report

    def save(self, path: Path | str) -> None:
        """Write the model to a file.

        Raises:
            RuntimeError: It is not fitted.
        """
        write_model(path, self.network.state_dict(), self.identity(), self.about())

    def load(self, path: Path | str, *, data: str | None = None) -> None:
        """Read a model of the same kind, sizes, settings and domain from a file.

        Args:
            path: The file.
            data: Digest of the episodes that it must have been fitted to; any will do when left out.

        Raises:
            FileNotFoundError: There is no such file.
            CorruptFileError: It is damaged, or none of a world model.
            StaleModelError: It is of something else.
        """
        tensors, told = read_model(path)
        require_identity(path, told, self.identity())
        if data is not None and told["data"] != data:
            raise StaleModelError(
                f"The world model must have been fitted to the episodes of digest {data[:12]}; {path} was to those of "
                f"{told['data'][:12]}. Fit it again."
            )
        self.restore(tensors, told)

    def about(self) -> dict[str, Any]:
        """Return what else there is to keep of a fit beside the network's tensors, as JSON types.

        Raises:
            RuntimeError: The model is not fitted.
        """
        return {"data": self.fitted_to, "report": self._require_fitted().to_json()}

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put back the network's tensors, and what :meth:`about` returned."""
        self.network.load_state_dict(tensors)
        self.fitted_to, self.report = about["data"], ModelReport.from_json(about["report"])

    def _begin(self, data: Stretches, *, afresh: bool) -> None:
        """Take the scales of data, or only widen their range."""
        if not afresh:
            self.network.scales.widen(data)
            return
        with seeded(self.settings.seed):
            self.network = self._build()
        self.network.prepare(data)

    @torch.no_grad()
    def _judge(self, held: Mapping[str, Stretches], fitted_steps: int, seconds: float) -> ModelReport:
        context = self.network.context

        def imagine(seen: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.network.imagine(self.network.infer(seen, actions[:, :context]), actions[:, context:])

        with one_thread():
            self.network.scales.residual.copy_(residual(imagine, held, context=context))
            errors, spread = judge(imagine, self.network.scales, held, context=context)
        return ModelReport(errors=errors, spread=spread, fitted_steps=fitted_steps, cpu_seconds=seconds)

    def _prepare(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return as many states as there are rows of actions, after all checks."""
        report = self._require_fitted()
        horizon = require_steps(states, actions, self.state_size, self.action_size)
        if horizon > report.horizon:
            warnings.warn(
                f"The world model was validated for {report.horizon} steps ahead, and is asked for {horizon}. Plan in "
                "shorter pieces"
                + (", or give it longer episodes to be judged by." if report.horizon < STEPS[-1] else "."),
                HorizonWarning,
                stacklevel=3,
            )
        return states.expand(len(actions), -1)

    def _require_fitted(self) -> ModelReport:
        if self.report is None:
            raise RuntimeError("A world model must be fitted or loaded before it is used. Call `fit` or `load`.")
        return self.report


AnyModel = LearnedModel[Any, Any]
"""A learned model of whatever kind."""


def _warn_of(report: ModelReport) -> None:
    poor = report.poor_kinds(report.horizon)
    if not report.errors:
        reason = "too few held-out steps tell how good it is"
    elif poor:
        told = ", ".join(f"{ratio:.2f} on {kind!r}" for kind, ratio in poor.items())
        reason = f"its error {report.horizon} steps ahead, as a share of predicting no change, is {told}"
    else:
        return
    warnings.warn(
        f"The world model is too poor to plan with: {reason}. Give it more episodes or more `updates`, or plan fewer "
        "steps ahead.",
        PoorModelWarning,
        stacklevel=3,
    )
