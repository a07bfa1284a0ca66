"""bench.toml and the shipped settings that it extends, as frozen models (docs/configuration.md)."""

from bench.settings.loading import load_settings
from bench.settings.schema import DataSettings, ScoringSettings, Settings, StoreSettings, Suite

__all__ = [
    "DataSettings",
    "ScoringSettings",
    "Settings",
    "StoreSettings",
    "Suite",
    "load_settings",
]
