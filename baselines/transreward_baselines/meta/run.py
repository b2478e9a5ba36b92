"""A run of a meta-learner: its directory, clock, meta-tests, logs, checkpoints and progress bar."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from transreward_baselines.meta.args import MetaArgs
from transreward_baselines.meta.episodes import Episodes
from transreward_baselines.meta.evaluation import MetaEvaluation, rows_of
from transreward_baselines.results import read_rows, write_rows
from transreward_baselines.run_directory import (
    RunDirectoryError,
    check_directory,
    checkpoints,
    held,
    new_checkpoint,
    read_settings,
)
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, write_json

MAY_CHANGE = ("total_steps", "device", "threads", "torch_threads", "out", "quiet", "checkpoint_every")
"""Settings that may differ when a run is resumed."""


class Kept(Protocol):
    """What is trained: all that training changes, random numbers included, so that a resumed run is the same run."""

    def files(self) -> tuple[dict[str, Tensors], dict[str, Any]]:
        """Return tensors by the names of the files to keep them in, and the rest as JSON types."""

    def load(self, files: Mapping[str, Tensors], about: Mapping[str, Any]) -> None:
        """Put back what :meth:`files` returned."""


class MetaRun:
    """Counts a run's steps and seconds, and tests, logs and keeps what it trains; a context manager.

    Args:
        script: Name of the script.
        args: What the script was told.
        directory: Of the run.
        kept: What is trained.
        test: Plays the meta-test, and returns the episodes by which it is judged.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """

    def __init__(
        self, script: str, args: MetaArgs, directory: Path, kept: Kept, test: Callable[[], list[Episodes]]
    ) -> None:
        self.args, self.directory, self.steps, self.seconds = args, directory, 0, 0.0
        self._kept, self._test = kept, test
        told = {"script": script, **dataclasses.asdict(args), "out": None}
        settings = json.loads(json.dumps(told, default=str))
        check_directory(directory, settings, may_change=MAY_CHANGE, read=read_settings)
        with ExitStack() as stack:
            stack.enter_context(held(directory))
            if not (directory / "config.json").exists():
                write_json(directory / "config.json", settings)
            self._load()
            self.results = [row for row in read_rows(directory, MetaEvaluation) if row.step <= self.steps]
            self._held = stack.pop_all()
        disabled = True if args.quiet else None
        self._bar = tqdm(total=args.total_steps, initial=self.steps, desc=script, unit="step", disable=disabled)
        self._logs = SummaryWriter(str(directory / "logs"), purge_step=self.steps + 1)

    @property
    def unfinished(self) -> bool:
        """Whether steps are left."""
        return self.steps < self.args.total_steps

    def __enter__(self) -> Self:
        self._since = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
        self._logs.close()
        self._held.close()

    def advance(self, steps: int, scalars: Mapping[str, float]) -> None:
        """Count steps that were taken and learned from; log, test and keep when it is time to.

        Args:
            steps: Environment steps since the last call.
            scalars: What to log.
        """
        before, self.steps = self.steps, self.steps + steps
        self.seconds += time.perf_counter() - self._since
        self._bar.update(steps)
        self._log({"charts/steps_per_second": self.steps / self.seconds, **scalars})
        last = not self.unfinished
        if last or before // self.args.eval_every < self.steps // self.args.eval_every:
            self._evaluate()
        if last or before // self.args.checkpoint_every < self.steps // self.args.checkpoint_every:
            self._save()
        self._since = time.perf_counter()

    def _evaluate(self) -> None:
        """Test on held-out tasks; the clock stands still meanwhile."""
        rows = rows_of(self._test(), step=self.steps, seconds=self.seconds)
        self.results += rows
        write_rows(self.directory, self.results, MetaEvaluation)
        for row in rows:
            self._log({f"meta-test/return_after_{row.adaptation_episodes}": row.return_mean})
        if not self.args.quiet:
            found = ", ".join(f"{row.return_mean:.1f}" for row in rows)
            self._bar.write(f"step {self.steps}: return {found} after 0, 1, ... episodes of adaptation")

    def _save(self) -> None:
        """Write a checkpoint, after the results: rows beyond it are dropped when a run resumes."""
        files, about = self._kept.files()
        with new_checkpoint(self.directory, self.steps) as draft:
            for name, tensors in files.items():
                save_tensors(draft / f"{name}.safetensors", tensors, {})
            write_json(draft / "progress.json", {"steps": self.steps, "seconds": self.seconds, "about": about})

    def _load(self) -> None:
        """Put back the newest checkpoint, if there is one."""
        if not (found := checkpoints(self.directory)):
            return
        path = found[-1]
        try:
            progress = json.loads((path / "progress.json").read_text())
            files = {file.stem: load_tensors(file)[0] for file in path.glob("*.safetensors")}
            self._kept.load(files, progress["about"])
            self.steps, self.seconds = int(progress["steps"]), float(progress["seconds"])
        except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise RunDirectoryError(
                f"The checkpoint {path} cannot be read ({error}). Delete it to start again."
            ) from error

    def _log(self, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._logs.add_scalar(name, value, self.steps)
