"""The README's and the docs' code blocks run as they stand."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from transreward_envs import SUITES
from transreward_envs.shifts.parse import SHIFT_KINDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    (page, index, block)
    for page in PAGES
    for index, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL))
]


@pytest.mark.parametrize(("page", "index", "block"), BLOCKS, ids=[f"{page.name}-{index}" for page, index, _ in BLOCKS])
def test_a_code_block_runs(page: Path, index: int, block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block)
    folders = {"TRANSREWARD_CACHE": str(tmp_path / "cache"), "MINARI_DATASETS_PATH": str(tmp_path / "datasets")}
    environment = {**os.environ, **folders}
    result = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_readme_shows_how_to_train_with_both_libraries() -> None:
    blocks = "".join(block for page, _, block in BLOCKS if page.name == "README.md")
    assert "stable_baselines3" in blocks
    assert "gym.make_vec(env_id" in blocks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


def test_the_page_of_pairs_names_every_suite_and_every_kind_of_shift() -> None:
    text = (ROOT / "docs" / "pairs.md").read_text()
    assert not [suite for suite in SUITES if f"- **{suite}**" not in text]
    assert not [kind for kind in SHIFT_KINDS if not re.search(rf"^\|[^|]*`{kind}`[^|]*\|", text, flags=re.MULTILINE)]


def test_the_generated_pages_are_fresh() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [path.name for path, text in generate.pages().items() if not path.exists() or path.read_text() != text]
    assert not stale, "run `make docs`"


def test_the_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
