"""What all tests share: one thread, a cache of their own, and shifts and pairs as Hypothesis strategies."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TQDM_DISABLE"] = "1"

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from transreward_envs import ROBOTS, Pair
from transreward_envs.robots.extras import installed

settings.register_profile("suite", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own() -> Iterator[Path]:
    """Keep fits out of the user's cache; those of one worker are made once."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["TRANSREWARD_CACHE"] = directory
        yield Path(directory)
        del os.environ["TRANSREWARD_CACHE"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is run over all pairs, robots or ids, where a robot's extra is not installed."""
    missing = {robot.name: robot.extra for robot in ROBOTS.values() if not installed(robot.extra)}
    for item in items:
        for value in item.callspec.params.values() if hasattr(item, "callspec") else ():
            name = value.robot if isinstance(value, Pair) else str(value).removeprefix("TransReward/").split("-")[0]
            if name in missing:
                item.add_marker(pytest.mark.skip(reason=f"needs the extra `{missing[name]}`"))
