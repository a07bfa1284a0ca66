"""Processes of one run, forked from one that has imported everything: started within a second."""

import multiprocessing
import os
import signal
import socket
import traceback

PRELOADED = [
    __name__, "accelerate", "bench.engine", "methods.models.training", "methods.pplug",
    "methods.models.opening", "transformers.models.t5.modeling_t5",
    "transformers.models.bert.modeling_bert", "peft", "sentence_transformers",
]  # fmt: skip
SECONDS = 120


def run_together(work, *arguments, number=2, join=True):
    """Call `work(*arguments)` in `number` processes, numbered as a launcher does.

    Returns their exit codes, or with join=False the processes. Text that `work` raises is in the
    failed process's stderr.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        context.Process(target=_be, args=(rank, number, port, work, arguments))
        for rank in range(number)
    ]
    for process in started:
        process.start()
    if not join:
        return started
    for process in started:
        process.join(SECONDS)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    return codes


def _be(rank, number, port, work, arguments):
    import torch

    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number),
        "LOCAL_WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell's & began
    torch.set_num_threads(1)
    try:
        work(*arguments)
    except Exception:  # noqa: BLE001  as any program would
        traceback.print_exc()
        os._exit(1)
