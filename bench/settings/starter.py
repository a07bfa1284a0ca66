"""The commented bench.toml that `bench init` writes."""

from pathlib import Path

from tasks.common.errors import ConfigError
from tasks.common.files import write_text

STARTER = Path(__file__).parents[1] / "starter.toml"


def write_starter(path: Path) -> None:
    """Write it. Raises ConfigError if `path` exists."""
    if path.exists() or path.is_symlink():
        raise ConfigError(f"{path} already exists", hint="Edit it, or name another file")
    write_text(path, STARTER.read_text(encoding="utf-8"))
