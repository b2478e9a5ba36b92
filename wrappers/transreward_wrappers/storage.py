"""Tensors on disk: written whole or not at all, read as data, checked against a digest."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save

from transreward_wrappers.errors import CorruptFileError

Tensors = dict[str, torch.Tensor]
MADE_AGAIN = (
    "Delete a fit that was kept, to have it made again, or a checkpoint, to go on from the one before; for any other "
    "file, give another."
)
"""What can be done about a file that is damaged, or of something else."""


def current_umask() -> int:
    """Return the permissions that new files are not to have."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def reason(error: OSError | RuntimeError) -> str:
    """Return why a file cannot be written: the system's own words, where a library has wrapped them in its own."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file to a temporary name beside it and rename it, so that readers see all of it or none."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~current_umask())  # temporary files are their owner's alone
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON as :func:`write_bytes` does."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def save_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, and JSON about them, to one safetensors file."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(dict(about), sort_keys=True)
    write_bytes(path, save(plain, metadata={"about": text, "sha256": tensors_digest(plain, text)}))


def load_tensors(path: Path | str) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors of a file, and what was written about them.

    Raises:
        FileNotFoundError: There is no such file.
        CorruptFileError: The file is truncated or was altered.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no file {path}. Check the path.")
    try:
        tensors: Tensors = load_file(path)
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        about = json.loads(metadata["about"])
    except (safetensors.SafetensorError, KeyError, ValueError, OSError) as error:
        raise CorruptFileError(f"{path} cannot be read: {error}. {MADE_AGAIN}") from error
    if tensors_digest(tensors, metadata["about"]) != metadata.get("sha256"):
        raise CorruptFileError(f"{path} does not match its digest. {MADE_AGAIN}")
    return tensors, about


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return tensors whose names begin with ``prefix.``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return those tensors whose names begin with ``prefix.``, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """Return an optimiser's running state, named ``<parameter>.<quantity>``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{parameter}.{name}": torch.as_tensor(value)
        for parameter, quantities in state.items()
        for name, value in quantities.items()
    }


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` returned; learning rates stay as they are."""
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        parameter, quantity = name.split(".")
        state.setdefault(int(parameter), {})[quantity] = tensor.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def tensors_digest(tensors: Mapping[str, torch.Tensor], about: str) -> str:
    """Return a digest over names, types, shapes, values and the text about them."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
