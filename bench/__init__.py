"""Who runs, scores, stores and shows.

`load_results` and `load_predictions` read stored results into pandas. They are imported at first
use, so that `import bench` stays fast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.results import load_predictions, load_results

__all__ = ["load_predictions", "load_results"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bench import results

    return getattr(results, name)
