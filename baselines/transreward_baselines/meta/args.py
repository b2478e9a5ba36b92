"""What every meta-learner here can be told: its tasks, how long it learns, and how it is tested."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transreward_baselines.devices import DeviceName, require_device
from transreward_baselines.meta.family import Family, draw_family, near
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class MetaArgs:
    """What every meta-learner here can be told.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown or a number breaks its rule.
    """

    suite: str = "sparse"
    """Suite of whose pairs the tasks are drawn."""

    robot: str = "HalfCheetah"
    """Robot of the tasks."""

    train_tasks: int = 20
    """Tasks that are learned from; two at least."""

    test_tasks: int = 10
    """Tasks that are held out for meta-tests."""

    task_seed: int = 0
    """Of the draw of tasks, so that runs of all seeds have the same."""

    horizon: int = 200
    """Time limit of an episode [steps]."""

    distance: float | None = None
    """From the start to where reward begins [m]; when left out, what the robot's expert reaches within 200 steps, or
    the suite's in episodes as long as the suite's."""

    distance_spread: float = 1.0
    """A task's distance is up to so many times farther or nearer; 1 for the same in all tasks [-]."""

    stretch: float = 1.0
    """Power to which tasks' factors of mass and friction are raised; at 1 they are as far apart as the suite's [-]."""

    total_steps: int = 400_000
    """Environment steps of all tasks together."""

    seed: int = 1
    """Of networks, batches, actions and episodes."""

    out: Path | None = None
    """Directory of the run; `runs/<script>-<robot>-...-<seed>` when left out."""

    context: bool = True
    """Infer the task; otherwise the agent is SAC over all tasks."""

    warmup_episodes: int = 10
    """Episodes of each task by random actions before the first gradient step."""

    memory_episodes: int = 250
    """Newest episodes of each task that are kept; those of 20 tasks of HalfCheetah take 0.1 GB."""

    updates_per_step: float = 0.15
    """Gradient steps of every network a transition."""

    tasks_per_update: int = 5
    """Tasks of a gradient step."""

    batch_size: int = 64
    """Transitions of each task in a gradient step, those of other tasks among them."""

    context_size: int = 100
    """Transitions that a task is inferred from in training."""

    context_episodes: int = 4
    """Newest episodes of a task that they are drawn from."""

    latent_size: int = 5
    """Numbers that tell a task."""

    kl_weight: float = 0.01
    """Of the divergence of what is believed from the prior [reward^2 / nat]. At PEARL's 0.1, for larger rewards,
    a latent task soon told nothing: in a trial the divergence fell to 0.03 nats, and rose at once to 0.4 with 0.01."""

    hidden: int = 128
    """Width of the two hidden layers of each network."""

    learning_rate: float = 1e-3
    """Of Adam."""

    gamma: float = 0.99
    """Discount."""

    tau: float = 0.005
    """Share by which the target critics move to the critics after each gradient step."""

    temperature: float | None = None
    """Of the entropy bonus [reward / nat]; learned when left out."""

    adaptation_episodes: int = 3
    """Episodes of adaptation to each held-out task in a meta-test."""

    eval_lanes: int = 2
    """Lanes of each held-out task in a meta-test: each adapts by itself."""

    eval_every: int = 50_000
    """Environment steps between two meta-tests."""

    checkpoint_every: int = 200_000
    """Environment steps between two checkpoints."""

    threads: int = 1
    """Threads that step the lanes; all CPUs when 0."""

    torch_threads: int = 1
    """Threads of PyTorch."""

    device: DeviceName = "cpu"
    """Of the networks, which are so small that a CPU does; `auto` is the GPU if there is one."""

    quiet: bool = False
    """Show neither a progress bar nor meta-tests."""

    def __post_init__(self) -> None:
        for name in ("seed", "threads", "adaptation_episodes"):
            require_count(name, getattr(self, name))
        for name in (
            *("total_steps", "eval_lanes", "eval_every", "checkpoint_every", "torch_threads", "hidden", "batch_size"),
            *("warmup_episodes", "memory_episodes", "tasks_per_update", "context_size", "context_episodes"),
            "latent_size",
        ):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("gamma", "tau"):
            require_share(name, getattr(self, name))
        for name in ("updates_per_step", "learning_rate"):
            require_positive(name, getattr(self, name))
        require_non_negative("kl_weight", self.kl_weight)
        if self.temperature is not None:
            require_positive("temperature", self.temperature)
        require_device(self.device)
        for name, least in {"train_tasks": 2, "test_tasks": 1, "task_seed": 0}.items():
            require_count(name, getattr(self, name), at_least=least)
        require_count("horizon", self.horizon, at_least=1)
        if self.distance is None:
            object.__setattr__(self, "distance", near(self.suite, self.robot, self.horizon))
        self.family()
        if self.tasks_per_update > self.train_tasks:
            raise ValueError(
                f"`tasks_per_update` must be at most all {self.train_tasks} `train_tasks`; got {self.tasks_per_update}."
            )

    def family(self) -> Family:
        """Return the tasks."""
        return draw_family(
            self.suite,
            self.robot,
            train=self.train_tasks,
            test=self.test_tasks,
            horizon=self.horizon,
            distance=self.distance,
            distance_spread=self.distance_spread,
            stretch=self.stretch,
            seed=self.task_seed,
        )
