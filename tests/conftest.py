"""What all tests share: one thread, a cache of their own, and shifts and pairs as Hypothesis strategies."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TQDM_DISABLE"] = "1"

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own() -> Iterator[Path]:
    """Keep fits out of the user's cache; those of one worker are made once."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["TRANSREWARD_CACHE"] = directory
        yield Path(directory)
        del os.environ["TRANSREWARD_CACHE"]
