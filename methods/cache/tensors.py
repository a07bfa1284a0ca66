"""Tensors on disk, as safetensors files that are whole or absent."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from tasks.common.files import atomic_write


def write_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all. Raises StorageError as `atomic_write` does."""
    with atomic_write(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # a full disk comes as one
            raise OSError(str(error)) from error
