"""A run of one of the scripts here: its directory, clock, evaluations, logs, checkpoints and progress bar."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from transreward_baselines.agent import Agent, beginning
from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.lanes import Lanes, find_shared
from transreward_baselines.results import Evaluation, read_rows, write_rows
from transreward_baselines.run_args import RunArgs
from transreward_baselines.run_directory import (
    UNTOLD,
    RunDirectoryError,
    check_directory,
    checkpoints,
    held,
    new_checkpoint,
    read_settings,
)
from transreward_baselines.training_ids import evaluation_ids, find_role, require_same_observations
from transreward_envs.errors import BudgetSpentError
from transreward_envs.pairs import ROLES
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, write_json

POLICIES = "policies"
"""Folder of the policies that a run keeps."""

MAY_CHANGE = ("total_steps", "max_seconds", "device", "threads", "torch_threads", "out", "quiet")
"""Settings that may differ when a run is resumed."""


class Run:
    """Counts a run's steps and seconds, and keeps, evaluates and logs its agent as it goes; a context manager.

    It ends early, as a whole run does, where a budget of target steps is spent.

    Args:
        script: Name of the script.
        args: What the script was told.
        agent: The agent.
        lanes: What it trains in.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """

    def __init__(self, script: str, args: RunArgs, agent: Agent, lanes: Lanes) -> None:
        self.args, self.agent, self.lanes, self._script = args, agent, lanes, script
        self.directory = args.out or Path("runs") / f"{script}-{args.env_id.replace('/', '-')}-{args.seed}"
        self.steps, self.seconds = 0, 0.0
        settings = {"script": script, **dataclasses.asdict(args), "out": None}
        check_directory(
            self.directory,
            _as_json(settings),
            may_change=MAY_CHANGE,
            read=lambda directory: {**_as_json(_defaults(args)), **read_settings(directory)},
        )
        self._domains = evaluation_ids(args.env_id, both=args.eval_both, keywords=args.keywords())
        places = [(env_id, dict[str, Any]()) for env_id in self._domains.values()]
        require_same_observations(lanes.envs.single_observation_space, args.env_id, places)
        with ExitStack() as stack:
            stack.enter_context(held(self.directory))
            if not (self.directory / "config.json").exists():
                write_json(self.directory / "config.json", _as_json(settings))
            self._load()
            self.results = [row for row in read_rows(self.directory, Evaluation) if row.step <= self.steps]
            self._held = stack.pop_all()
        self._bar = tqdm(
            total=args.total_steps,
            initial=self.steps,
            desc=f"{script} {args.env_id} seed {args.seed}",
            unit="step",
            disable=True if args.quiet else None,
        )
        self._logs = SummaryWriter(str(self.directory / "logs"), purge_step=self.steps + 1)
        self._since = time.perf_counter()

    @property
    def unfinished(self) -> bool:
        """Whether steps and time are left."""
        limit = self.args.max_seconds
        return self.steps < self.args.total_steps and (limit is None or self.seconds < limit)

    @property
    def episode_seed(self) -> int:
        """Seed of the episodes from here on: a run that resumes starts other ones."""
        if not self.steps:
            return self.args.seed
        return int(np.random.SeedSequence([self.args.seed, self.steps]).generate_state(1)[0] // 2)

    def __enter__(self) -> Self:
        self._since = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        spent = isinstance(error, BudgetSpentError)
        try:
            if spent or (error is None and not self.results):
                self._tell_time()
                if not self.results or self.results[-1].step < self.steps:
                    self._evaluate()
                self._save()
        finally:
            self._bar.close()
            self._logs.close()
            self._held.close()
        return spent

    def advance(self, steps: int, scalars: Mapping[str, float]) -> None:
        """Count steps that were taken and learned from; log, evaluate and keep when it is time to.

        Args:
            steps: Environment steps since the last call.
            scalars: What to log.
        """
        before, self.steps = self.steps, self.steps + steps
        self._tell_time()
        self._bar.update(steps)
        speed = {"charts/steps_per_second": self.steps / max(self.seconds, 1e-9)}
        self._log({**speed, **self._episodes(), **self._compensation(), **scalars})
        last = not self.unfinished
        if last or before // self.args.eval_every < self.steps // self.args.eval_every:
            self._evaluate()
        if last or before // self.args.checkpoint_every < self.steps // self.args.checkpoint_every:
            self._save()

    def _tell_time(self) -> None:
        """Add the time since the clock was last read or started."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now

    def _evaluate(self) -> None:
        """Evaluate the policy in the plain domains; the clock stands still meanwhile."""
        space, spent = self.lanes.envs.single_action_space, self._spent()
        for domain, env_id in self._domains.items():
            returns = evaluate_id(
                beginning(self.agent, space),  # type: ignore[arg-type]
                env_id,
                episodes=self.args.eval_episodes,
                threads=self.args.threads,
                settings=self.args.plain_keywords() if env_id == self.args.env_id else None,
            )
            row = Evaluation(
                step=self.steps,
                seconds=self.seconds,
                domain=domain,
                return_mean=float(returns.mean()),
                return_std=float(returns.std()),
                episodes=len(returns),
                **spent,
            )
            self.results.append(row)
            if not self.args.quiet:
                self._bar.write(f"step {row.step}: return {row.return_mean:.0f} +- {row.return_std:.0f} ({domain})")
            self._log({f"evaluation/{domain}": row.return_mean})
        write_rows(self.directory, self.results, Evaluation)
        if self.args.keep_policies:
            self._keep_policy()
        self._since = time.perf_counter()

    def _spent(self) -> dict[str, int]:
        """Return the columns that tell the steps taken in each domain; none where the id is of no pair."""
        if (steps := find_shared(self.lanes.envs, "steps")) is not None:
            compensation = find_shared(self.lanes.envs, "compensation")
            fitted = {} if compensation is None else compensation.fit_steps()
            return {f"{role}_steps": count + fitted.get(role, 0) for role, count in steps().items()}
        if (found := find_role(self.args.env_id)) is None:
            return {}
        return {f"{role}_steps": self.steps if role == found[1] else 0 for role in ROLES}

    def _keep_policy(self) -> None:
        """Write the policy as it is now, and what its last evaluations gave."""
        returns = {row.domain: row.return_mean for row in self.results[-len(self._domains) :]}
        about = {
            "algorithm": self._script,
            "env_id": self.args.env_id,
            "seed": self.args.seed,
            "steps": self.steps,
            "returns": returns,
        }
        self.agent.export(about).save(self.directory / POLICIES / f"{self.steps:012d}.safetensors")

    def _save(self) -> None:
        """Write a checkpoint, after the results: rows beyond it are dropped when a run resumes."""
        with new_checkpoint(self.directory, self.steps) as draft:
            for name, tensors in self.agent.files().items():
                save_tensors(draft / f"{name}.safetensors", tensors, {})
            progress: dict[str, Any] = {"steps": self.steps, "seconds": self.seconds}
            if (steps := find_shared(self.lanes.envs, "steps")) is not None:
                progress["spent"] = steps()
            if (save := find_shared(self.lanes.envs, "save_state")) is not None:
                save(str(draft / "compensation.safetensors"))
            write_json(draft / "progress.json", progress)

    def _load(self) -> None:
        """Put agent and lanes back to the newest checkpoint, if there is one; drop policies that are newer."""
        for file in (self.directory / POLICIES).glob("*.safetensors"):
            if not (found := checkpoints(self.directory)) or int(file.stem) > int(found[-1].name.split("-")[1]):
                file.unlink()
        if not (found := checkpoints(self.directory)):
            return
        path = found[-1]
        try:
            progress = json.loads((path / "progress.json").read_text())
            self.agent.load(_files(path))
            if (restore := find_shared(self.lanes.envs, "restore_steps")) is not None:
                restore(**progress["spent"])
            if (load := find_shared(self.lanes.envs, "load_state")) is not None:
                load(str(path / "compensation.safetensors"))
            self.steps, self.seconds = int(progress["steps"]), float(progress["seconds"])
        except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise RunDirectoryError(
                f"The checkpoint {path} cannot be read ({error}). Delete it to start again."
            ) from error

    def _episodes(self) -> dict[str, float]:
        """Return the mean return and length of the episodes that ended since the last call."""
        finished = self.lanes.finished
        if not finished:
            return {}
        self.lanes.finished = []
        returns, lengths = np.array(finished).T
        return {"charts/episodic_return": float(returns.mean()), "charts/episodic_length": float(lengths.mean())}

    def _compensation(self) -> dict[str, float]:
        """Return the running figures of the compensation, and the steps spent in each domain, where there are any."""
        figures = find_shared(self.lanes.envs, "diagnostics") or {}
        steps = find_shared(self.lanes.envs, "steps")
        spent = {} if steps is None else {f"charts/{role}_steps": float(count) for role, count in steps().items()}
        return {**{f"compensation/{name}": value for name, value in figures.items()}, **spent}

    def _log(self, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._logs.add_scalar(name, value, self.steps)


def _defaults(args: RunArgs) -> dict[str, Any]:
    """Return the defaults of settings that an earlier version wrote a run without and that mean what it did."""
    return {field.name: field.default for field in dataclasses.fields(args) if field.name not in UNTOLD}


def newest_agent(directory: Path) -> dict[str, Tensors]:
    """Return what a run's agent kept in its newest checkpoint.

    Raises:
        RunDirectoryError: There is no checkpoint.
    """
    if not (found := checkpoints(directory)):
        raise RunDirectoryError(
            f"An agent is taken over from a run's checkpoint; {directory} has none. Train it further."
        )
    return _files(found[-1])


def _files(checkpoint: Path) -> dict[str, Tensors]:
    """Return the tensors of a checkpoint, by the names of their files."""
    return {file.stem: load_tensors(file)[0] for file in checkpoint.glob("*.safetensors")}


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are read back from JSON."""
    read: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return read
