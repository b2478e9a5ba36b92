"""The cache of fits: found again, and made again when it cannot be trusted."""

import multiprocessing
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest

from transreward_envs import get_pair
from transreward_wrappers import Compensation, Transitions
from transreward_wrappers.cache import cache_directory
from transreward_wrappers.reward_transfer import RewardTransfer

ENV_ID = "TransReward/InvertedPendulum-gravity-2.0-reward-transfer-v0"
TINY = {"fit_budget": 30, "fit_updates": 2, "hidden": 8, "horizon": 10}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path))
    return tmp_path


@dataclass(kw_only=True, eq=False)
class Counting(Compensation):
    """Counts how often it is fitted, and keeps nothing."""

    fits_made: ClassVar = 0

    def fit(self, source: gym.Env, target: gym.Env) -> None:
        Counting.fits_made += 1

    def __call__(self, batch: Transitions) -> np.ndarray:
        return np.zeros(len(batch))


def use(**settings: object) -> float:
    """Make an environment, fit or load, and return the compensation of its first step."""
    env = gym.make(ENV_ID, **TINY, **settings)
    env.reset(seed=0)
    env.action_space.seed(0)
    return float(env.step(env.action_space.sample())[4]["reward/compensation"])


def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    fit = RewardTransfer.fit
    monkeypatch.setattr(RewardTransfer, "fit", lambda self, *domains: (calls.append(1), fit(self, *domains))[1])
    return calls


def the_file() -> Path:
    (path,) = cache_directory().glob("*.safetensors")
    return path


def test_a_fit_is_made_once_and_found_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_fits(monkeypatch)
    first = use()
    assert the_file().parent == directory
    assert use() == first
    assert use(lam=0.25) == pytest.approx(first / 2.0)
    assert len(calls) == 1
    use(seed=1)
    assert len(calls) == 2


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _tamper(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(bytes(content))


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a safetensors file")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _forget_what_it_is(path: Path) -> None:
    path.with_suffix(".json").unlink()


def _garbage_record(path: Path) -> None:
    path.with_suffix(".json").write_text("{")


@pytest.mark.parametrize("spoil", [_truncate, _tamper, _garbage, _empty, _forget_what_it_is, _garbage_record])
def test_a_spoilt_file_is_made_again_with_a_warning(spoil, directory: Path) -> None:
    first = use()
    spoil(the_file())
    with pytest.warns(UserWarning, match="A cached fit is unusable and is made again: .* Delete it"):
        assert use() == first
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert use() == first


def test_the_fit_of_something_else_is_not_taken_for_ones_own(directory: Path, tmp_path_factory) -> None:
    first = use()
    mine = the_file()
    kept = {suffix: mine.with_suffix(suffix).read_bytes() for suffix in (".safetensors", ".json")}
    for path in directory.iterdir():
        path.unlink()
    use(seed=5)
    other = the_file()
    for suffix in kept:
        other.with_suffix(suffix).rename(mine.with_suffix(suffix))
    with pytest.warns(UserWarning, match="is not the fit that was cached under its name"):
        assert use() == first


def test_a_compensation_that_saves_nothing_is_fitted_every_time(directory: Path) -> None:
    from transreward_wrappers import Compensate

    Counting.fits_made = 0
    for _ in range(2):
        env = gym.make("TransReward/InvertedPendulum-gravity-2.0-mixture-v0")
        Compensate(env, pair=get_pair("InvertedPendulum-gravity-2.0"), compensation=Counting).reset(seed=0)
    assert Counting.fits_made == 2


def test_a_missing_file_is_made_again(directory: Path) -> None:
    first = use()
    the_file().unlink()
    assert use() == first


def _use_and_log(log: str, barrier) -> None:
    import transreward_envs  # noqa: F401  # registers the ids

    fit = RewardTransfer.fit

    def logged(self, *domains) -> None:
        with open(log, "a") as file:
            file.write("fit\n")
        fit(self, *domains)

    RewardTransfer.fit = logged  # type: ignore[method-assign]
    barrier.wait()
    use()


def test_of_two_processes_at_once_one_fits(directory: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log, barrier = directory / "log.txt", context.Barrier(2)
    processes = [context.Process(target=_use_and_log, args=(str(log), barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        assert process.exitcode == 0
    assert log.read_text() == "fit\n"
    assert not [name for name in os.listdir(directory) if name.startswith(".")]


def test_a_cache_that_cannot_be_made_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="Name another by TRANSREWARD_CACHE"):
        use()
