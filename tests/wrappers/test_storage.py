"""Files: whole or not at all, and back as they were."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import (
    load_optimizer_tensors,
    load_tensors,
    optimizer_tensors,
    save_tensors,
    write_bytes,
)
from transreward_wrappers.store import RowStore


def test_tensors_and_what_is_said_of_them_come_back(tmp_path: Path) -> None:
    tensors = {"weight": torch.randn(3, 2), "count": torch.tensor(7), "mean": torch.zeros(4, dtype=torch.float64)}
    save_tensors(tmp_path / "some" / "file", tensors, {"steps": 3})
    loaded, about = load_tensors(tmp_path / "some" / "file")
    assert about == {"steps": 3}
    assert all(
        torch.equal(loaded[name], tensor) and loaded[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )


def test_altered_metadata_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_tensors(path, {"weight": torch.ones(2)}, {"steps": 3})
    path.write_bytes(path.read_bytes().replace(b'steps\\": 3', b'steps\\": 4'))
    with pytest.raises(CorruptFileError, match="does not match its digest"):
        load_tensors(path)


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_optimizer_goes_on_as_the_original_would() -> None:
    parameters = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizers = [torch.optim.Adam([parameter], lr=0.1) for parameter in parameters]
    for _ in range(3):
        parameters[0].grad = torch.ones(3)
        optimizers[0].step()
    parameters[1].data.copy_(parameters[0].data)
    load_optimizer_tensors(optimizers[1], optimizer_tensors(optimizers[0]))
    for parameter, optimizer in zip(parameters, optimizers, strict=True):
        parameter.grad = torch.full((3,), -2.0)
        optimizer.step()
    assert torch.equal(parameters[0].data, parameters[1].data)


@given(sizes=st.lists(st.integers(0, 20), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_running_statistics_are_those_of_all_rows_together(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [3.0 + 2.0 * generator.standard_normal((size, 2)) for size in sizes]
    normalizer = RunningNormalizer(2)
    for part in parts:
        normalizer.observe(part)
    rows = np.concatenate(parts)
    if len(rows) < 2:
        return
    tensors = normalizer.tensors()
    assert np.allclose(tensors["mean"], rows.mean(axis=0))
    assert np.allclose(tensors["variance"], rows.var(axis=0))
    expected = np.clip((rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-8), -10.0, 10.0)
    assert np.allclose(normalizer(rows.astype(np.float32)), expected, atol=1e-3)


@given(parts=st.lists(st.integers(0, 12), max_size=8), in_file=st.booleans())
def test_a_store_keeps_the_newest_rows(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int], in_file: bool
) -> None:
    path = tmp_path_factory.mktemp("store") / "rows.f32" if in_file else None
    store, added = RowStore(10, 1, path), np.zeros((0, 1), dtype=np.float32)
    for size in parts:
        rows = np.arange(len(added), len(added) + size, dtype=np.float32)[:, None]
        store.add(rows)
        added = np.concatenate([added, rows])
    assert len(store) == min(len(added), 10)
    assert np.array_equal(store.newest(10), added[-10:])
    if len(added):
        drawn = store.sample(50, torch.Generator().manual_seed(0))
        assert set(drawn[:, 0]) <= set(added[-10:, 0])
