"""Tables of docs/on_a_gpu.md, from what was measured on one."""

import json

from forms import REFERENCE

MEASURED = REFERENCE / "gpu/measured.json"


def write_gpu_training() -> str:
    """PPlug's training step at several sizes of LLM."""
    lines = [
        "| LLM | batch (at once) | s a step | examples/s | TFLOP a step | share of matmul rate | "
        "LLM alone | peak GiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in json.loads(MEASURED.read_text(encoding="utf-8"))["training"]:
        name = row["model"] + (", `bf16 = true`" if row["variant"] == "bf16 autocast" else "")
        alone = f"{row['llm_alone_share']:.1%}" if "llm_alone_share" in row else ""
        cells = [f"{row['batch']} ({row['micro_batch']})", f"{row['step_seconds']:.2f}",
                 f"{row['examples_per_second']:.1f}", f"{row['tflop_per_step']:.0f}",
                 f"{row['share_of_matmul_rate']:.1%}", alone, f"{row['peak_gib']:.1f}"]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_gpu_generation() -> str:
    """Milliseconds a query with and without soft tokens."""
    lines = ["| LLM | batch | soft tokens | ms a query | peak GiB |", "|---|---:|---:|---:|---:|"]
    for row in json.loads(MEASURED.read_text(encoding="utf-8"))["generation"]:
        cells = [row["model"], str(row["batch"]), str(row["soft_tokens"]),
                 f"{row['ms_per_query']:.1f}", f"{row['peak_gib']:.1f}"]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
