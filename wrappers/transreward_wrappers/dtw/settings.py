"""What an aligned reward can be told: the keywords of the ids ``...-dtw-v0``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from transreward_envs.correspondence import CorrespondenceLike, require_correspondence
from transreward_envs.errors import (
    require_count,
    require_name,
    require_non_negative,
    require_positive,
    require_share,
    unknown,
)
from transreward_wrappers.alignment import METHODS, Carry, MethodName, Reference
from transreward_wrappers.dtw.references import ReferenceData
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.world_models import MODELS, PlanSettings

RewardForm = Literal["model", "progress", "increment", "shaping", "alive"]
FOLLOWING: tuple[RewardForm, ...] = ("progress", "increment", "shaping")
"""Forms that hang on the episode so far."""


@dataclass(kw_only=True, eq=False)
class DTWSettings:
    """Settings of :class:`~transreward_wrappers.dtw.DTW`.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    reward: RewardForm = "model"
    """``model`` (a reward model of aligned states), ``progress``, ``increment`` or ``shaping`` (step by step, as the
    reference is followed), or ``alive`` (1 a step, the control that knows of no reference)."""

    references: str = "expert"
    """What is followed: ``expert`` (the source's, as it ships), ``imagined`` (what a world model of the source imagines
    of it), ``search`` (what a search for a linear policy goes through), the path of a policy's file or of a recorded
    trajectory's (``.npz``, see :func:`~transreward_wrappers.dtw.save_reference`), or the id or folder of a dataset."""

    reference_count: int = 4
    """Episodes that are references, the best by return; ``progress``, ``increment`` and ``shaping`` follow the best."""

    reference_steps: int = 8_000
    """Source steps in which a policy makes them; a dataset is taken whole."""

    alignment: MethodName = "dtw"
    """What aligns episodes with references for ``model``: ``dtw``, ``soft_dtw``, ``ot``, ``temporal_ot``, ``orca`` or
    ``min_distance``."""

    carry: Carry = "balanced"
    """What is kept of the source's rewards for ``model``: with ``total``, a source step is paid once, however many
    target steps go with it; with ``mean``, each target step is paid the mean of the source steps that go with it;
    ``balanced`` lies between (see :func:`~transreward_wrappers.alignment.transport`)."""

    tau: float | None = None
    """Cost at which the gate pays 1/e [squared standard deviations of the reference, summed]; the number of features
    when left out."""

    penalty: float = 0.1
    """Of ``progress`` and ``shaping``: what they pay less wherever the distance grows by ``tau`` [reward]."""

    gamma: float = 0.99
    """The agent's discount, for ``shaping``."""

    base_reward: bool = False
    """Whether the target's own reward is paid beside; otherwise it is never read. ``shaping`` needs it."""

    observe_progress: bool = False
    """Whether the share of the reference that is covered, and what the last step cost, are appended to observations;
    for ``progress``, ``increment`` and ``shaping``."""

    fit_budget: int = 20_000
    """Target steps before training, for the world model and the reward model."""

    random_share: float = 0.5
    """Share of them with uniformly random actions [-]; the rest is by the references' policy, if there is one."""

    segments: int = 32
    """Pieces of references for which target actions are searched whenever the world model has learnt; with 0, and where
    anything but ``dtw`` aligns, there is no world model."""

    horizon: int = 25
    """Target steps of a piece; world models are judged up to 25 steps ahead, and warn where it is more."""

    iterations: int = 6
    """Of the search."""

    candidates: int = 500
    """Sequences of actions in an iteration."""

    disagreement: float = 1.0
    """Of the search, on the world model's spread [cost a step for each time that it is what it is on held-out data]."""

    trust: float = 3.0
    """What is imagined counts where the world model's spread is at most so many times that on held-out data [-]."""

    bad: int = 4
    """Random sequences that are imagined and paid for beside each that was searched."""

    world_model: str = "ensemble"
    """``ensemble``, ``rssm``, or the path of the file of one that was fitted in this very target."""

    model_updates: int = 2_000
    """Gradient steps of the world model's fit, three quarters as many of an ``rssm``'s prior's; a quarter whenever it
    learns again."""

    refit_every: int = 25_000
    """Target steps between two rounds, in which the reward model learns from the agent's own episodes; never with 0."""

    imagine_every: int = 4
    """Rounds after which the world model learns from them too, and imagines anew; what it imagined counts meanwhile.
    Where ``imagine_every`` times ``refit_every`` is less than ``capacity``, the world model is judged on episodes of
    the agent that it may have learnt from before."""

    capacity: int = 50_000
    """Steps of the agent's own that are kept for rounds."""

    fit_updates: int = 3_000
    """Gradient steps of the reward model's fit."""

    members: int = 3
    """Networks of the reward model."""

    hidden: int = 64
    """Units in each of its two hidden layers."""

    batch_size: int = 256
    """Rows in a batch of its fit, for each member."""

    learning_rate: float = 1e-3
    """Adam's, falling linearly to a twentieth."""

    correspondence: CorrespondenceLike = None
    """Which joint of the target's robot is which of the source's; see ``RewardTransfer``."""

    seed: int = 0
    """Of runs, searches, weights and batches."""

    def __post_init__(self) -> None:
        if self.reward not in (forms := get_args(RewardForm)):
            raise ValueError(unknown("reward form", self.reward, forms))
        if isinstance(self.references, Reference):
            raise TypeError(
                "`references` must be a string; got a Reference. Write it to a file with "
                "transreward_wrappers.dtw.save_reference, and give its path."
            )
        for name in ("references", "world_model"):
            require_name(name, getattr(self, name))
        if self.alignment not in METHODS:
            raise ValueError(unknown("alignment", self.alignment, METHODS))
        if self.carry not in (kept := get_args(Carry)):
            raise ValueError(unknown("carry", self.carry, kept))
        for name in ("reference_count", "reference_steps", "fit_budget", "horizon", "imagine_every", "capacity"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("hidden", "batch_size"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("segments", "bad", "model_updates", "refit_every", "fit_updates", "seed"):
            require_count(name, getattr(self, name))
        for name in ("members", "candidates"):
            require_count(name, getattr(self, name), at_least=2)
        for name in ("penalty", "disagreement"):
            require_non_negative(name, getattr(self, name))
        for name in ("gamma", "random_share"):
            require_share(name, getattr(self, name))
        for name in ("learning_rate", "trust"):
            require_positive(name, getattr(self, name))
        if self.tau is not None:
            require_positive("tau", self.tau)
        require_correspondence(self.correspondence)
        self.plan_settings()
        self._require_sense()

    @property
    def imagines(self) -> bool:
        """Whether there is a world model."""
        return self.reward == "model" and self.alignment == "dtw" and self.segments > 0

    def reference_data(self) -> ReferenceData:
        """Return where references come from."""
        return ReferenceData(
            kind=self.references,
            count=self.reference_count,
            budget=self.reference_steps,
            updates=self.model_updates,
            seed=self.seed,
        )

    def plan_settings(self) -> PlanSettings:
        """Return how target actions are searched."""
        finalists = min(60, self.candidates)
        return PlanSettings(
            horizon=self.horizon,
            iterations=self.iterations,
            candidates=self.candidates,
            finalists=finalists,
            elites=min(30, finalists),
            penalty=self.disagreement,
        )

    def fit_settings(self) -> FitSettings:
        """Return sizes of the reward model, and of its fit."""
        return FitSettings(
            members=self.members,
            hidden=self.hidden,
            updates=self.fit_updates,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )

    def _require_sense(self) -> None:
        """Raise ``ValueError`` for settings that each are right, and together mean nothing."""
        if self.reward == "shaping" and not self.base_reward:
            raise ValueError(
                "The form 'shaping' needs a reward beside it: alone it gives all policies the same return; got "
                "base_reward=False. Give base_reward=True, or take another form."
            )
        if self.observe_progress and self.reward not in FOLLOWING:
            raise ValueError(
                f"`observe_progress` is for the forms {', '.join(FOLLOWING)}, which follow a reference; got "
                f"{self.reward!r}."
            )
        if self.world_model not in MODELS and not self.world_model.endswith(".safetensors"):
            raise ValueError(unknown("world model", self.world_model, [*MODELS, "the path of a *.safetensors file"]))
