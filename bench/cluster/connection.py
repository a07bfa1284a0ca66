"""The only place that imports Ray: starts it on this machine, or joins a cluster."""

import importlib.util
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.threads import count_cores
from tasks.common.errors import BenchError, ConfigError

CONNECT_SECONDS = 5.0
OBJECTS = 80 << 20
"""Bytes of Ray's object store: only messages pass through it."""
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
"""Of a Ray on this machine alone. Without the first, Ray replaces the loopback address by the
machine's own and listens to the network; without the second, it runs workers at nice 15.
"""
JOINING = {"RAY_NUM_REDIS_GET_RETRIES": "1"}
"""Attempts of 40 s to reach the cluster's head, where something else listens at its address."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
"""No statistics to Ray's makers."""


class ClusterError(BenchError):
    """The cluster can't be reached, or has lost the nodes that cells need."""


def check_engine(address: str | None) -> None:
    """Raise ConfigError where Ray is missing, or the address is none that `connect` takes."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "--engine ray needs Ray, which is not installed",
            hint="Install it: pip install 'pplug-bench[ray]'",
        )
    if address is None or address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(
            f"--address {address!r} is not of the form HOST:PORT",
            hint="Give that of the cluster's head, such as 10.0.0.1:6379, or auto, and run this "
            "command on one of its nodes",
        )


@contextmanager
def connect(address: str | None) -> Iterator[Any]:
    """The module `ray` while this process is a driver of a cluster.

    Args:
        address: HOST:PORT of the head; "auto": the cluster that this machine belongs to; None:
            Ray is started on this machine, on the loopback interface alone, and stopped again.

    Raises:
        ConfigError: as `check_engine`.
        ClusterError: Ray can't be started or reached.
    """
    check_engine(address)
    if address is not None and address != "auto":
        _require_listener(address)
    for name, value in (QUIET | (ALONE if address is None else JOINING)).items():
        os.environ.setdefault(name, value)
    import ray

    options: dict[str, Any] = {"address": address or "local"}
    if address is None:
        options |= {
            "_node_ip_address": "127.0.0.1",
            "num_cpus": count_cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECTS,
        }
    try:
        try:
            ray.init(**options, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _explain(address, error) from error
        yield ray
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Fail at once where nothing listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _explain(address, error) from error


def _explain(address: str | None, error: Exception) -> ClusterError:
    reason = " ".join(str(error).split())
    if address is None:
        return ClusterError(f"Ray can't be started ({reason})", hint="Leave --engine ray out")
    return ClusterError(
        f"no Ray cluster can be reached at {address} ({reason})",
        hint="Check it with `ray status`; start one with `ray start --head`, and run this command "
        "on one of its nodes",
    )
