"""Tensors on disk, as safetensors files that are whole or absent."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from tasks.common.files import writing


def write_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all. Raises StorageError as `writing` does."""
    with writing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # a full disk comes as one
            raise OSError(str(error)) from error
