"""The directory of a study."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from studies.claim import claim
from transreward_baselines.run_directory import LOCK, RunDirectoryError, read_settings
from transreward_wrappers.storage import write_json


def test_commands_that_begin_together_share_a_directory(tmp_path: Path) -> None:
    half_written, settings = tmp_path / ".config.json.draft", {"steps": 7}
    with ThreadPoolExecutor(1) as pool:
        with FileLock(tmp_path / LOCK):  # as a command that began before does
            half_written.touch()
            other = pool.submit(claim, tmp_path, settings)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.2)
            half_written.unlink()
            write_json(tmp_path / "config.json", settings)
        other.result(timeout=30)
    assert read_settings(tmp_path) == settings


def test_a_directory_of_other_settings_or_files_is_refused(tmp_path: Path) -> None:
    claim(tmp_path / "study", {"steps": 7})
    claim(tmp_path / "study", {"steps": 7})
    with pytest.raises(RunDirectoryError, match="steps: 7 there, 8 asked for"):
        claim(tmp_path / "study", {"steps": 8})
    with pytest.raises(RunDirectoryError, match="A new run needs an empty directory"):
        claim(tmp_path, {"steps": 7})
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="A folder is needed"):
        claim(tmp_path / "file", {"steps": 7})
