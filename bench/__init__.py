"""Who runs, scores, stores and shows.

`load_results`, `load_predictions` and `load_slices` read stored results into pandas, and
`load_published` the numbers of papers. They are imported at first use, so that `import bench` stays
fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.published import load_published
    from bench.results import load_predictions, load_results
    from bench.slices import load_slices

__all__ = ["load_predictions", "load_published", "load_results", "load_slices"]
HOMES = {"load_published": "bench.published", "load_slices": "bench.slices"}
"""Name → the module it is in, unless that is `bench.results`."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES.get(name, "bench.results")), name)
