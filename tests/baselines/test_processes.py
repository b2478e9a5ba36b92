"""Jobs in processes: failures, killed processes, and the end of the command that began them."""

import multiprocessing
import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from transreward_baselines import processes
from transreward_baselines.processes import Finished, run_jobs, terminated_like_interrupted


def double(number: int) -> int:
    if number == 3:
        raise ValueError("`number` must not be 3; got 3.")
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def surroundings() -> tuple[int, str | None, str | None]:
    import torch

    return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"), os.environ.get("TQDM_DISABLE")


def sleep(path: Path, stubborn: bool = False) -> None:
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    path.with_suffix(".draft").write_text(str(os.getpid()))
    path.with_suffix(".draft").rename(path)
    time.sleep(600.0)


def warn() -> None:
    warnings.warn("the sky falls", stacklevel=1)


def forget(finished: Finished) -> None:
    """Do nothing about a job that is over."""


def begin_to_sleep(path: Path) -> None:
    run_jobs(sleep, {"sleep": (path,)}, workers=1, tell=forget)


def pid_in(path: Path) -> int:
    deadline = time.monotonic() + 300.0
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text())


def require_end(pid: int) -> None:
    process = psutil.Process(pid) if psutil.pid_exists(pid) else None
    deadline = time.monotonic() + 20.0
    while process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_that_fails_or_whose_process_is_killed_loses_no_other() -> None:
    told: dict[str, Finished] = {}
    jobs = {str(number): (number,) for number in range(1, 7)}
    run_jobs(double, jobs, workers=2, tell=lambda finished: told.update({finished.name: finished}))
    assert {name: finished.result for name, finished in told.items() if finished.error is None} == {
        "1": 2,
        "2": 4,
        "5": 10,
        "6": 12,
    }
    assert told["3"].error == "ValueError: `number` must not be 3; got 3."
    assert "in double" in told["3"].traceback
    assert told["4"].error == "Its process ended with exit code -9."


def test_a_process_has_one_thread_and_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    told: list[Finished] = []
    run_jobs(surroundings, {"look": ()}, workers=3, tell=told.append)
    assert [finished.result for finished in told] == [(1, "1", "1")]
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "TQDM_DISABLE" not in os.environ


def test_a_process_warns_without_its_place_in_the_code(capfd: pytest.CaptureFixture[str]) -> None:
    run_jobs(warn, {"warn": ()}, workers=1, tell=forget)
    told = capfd.readouterr().err
    assert "UserWarning: the sky falls\n" in told
    assert ".py" not in told


def test_what_interrupts_the_command_ends_its_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    since = 0.0

    def interrupt(finished: Finished) -> None:
        nonlocal since
        pid_in(tmp_path / "pid")
        since = time.monotonic()
        raise KeyboardInterrupt

    jobs = {"short": (tmp_path / "none" / "pid",), "long": (tmp_path / "pid",)}
    monkeypatch.setattr(processes, "PATIENCE", 60.0)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(sleep, jobs, workers=2, tell=interrupt)  # the short one has nowhere to write
    assert time.monotonic() - since < 30.0  # it did not sleep on, nor until it was killed
    require_end(pid_in(tmp_path / "pid"))


def test_a_request_to_end_interrupts_unless_somebody_else_handles_it() -> None:
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), terminated_like_interrupted():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        with ThreadPoolExecutor(1) as pool:
            pool.submit(terminated_like_interrupted().__enter__).result()  # a thread cannot be asked, and may go on
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
        with terminated_like_interrupted():
            signal.raise_signal(signal.SIGTERM)
        assert asked == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(finished: Finished) -> None:
        pid_in(tmp_path / "pid")
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    jobs = {"short": (tmp_path / "none" / "pid",), "long": (tmp_path / "pid", True)}
    with pytest.raises(KeyboardInterrupt):
        run_jobs(sleep, jobs, workers=2, tell=interrupt)
    require_end(pid_in(tmp_path / "pid"))


def test_a_job_ends_with_the_command_that_began_it(tmp_path: Path) -> None:
    command = multiprocessing.get_context("spawn").Process(target=begin_to_sleep, args=(tmp_path / "pid",))
    command.start()
    pid = pid_in(tmp_path / "pid")
    assert command.pid is not None
    os.kill(command.pid, signal.SIGKILL)
    command.join()
    require_end(pid)
