"""References that do not change with what ships: those of the plain robots alone."""

import json
from pathlib import Path

import pytest

from transreward_envs.references import measured_returns


@pytest.fixture(autouse=True)
def plain_references(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = {name: figures for name, figures in measured_returns()["domains"].items() if "-" not in name}
    shelf: Path = tmp_path_factory.mktemp("shelf")
    (shelf / "measured.json").write_text(json.dumps({"domains": domains, "pairs": {}}))
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(shelf))
