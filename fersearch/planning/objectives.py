"""Default objectives of a study."""

from fersearch import accelerators

ON_GPU = ("f1_macro", "train_seconds", "peak_memory_mb")
ON_CPU = ("f1_macro", "cpu_seconds", "peak_memory_mb")
WHY = (
    "no GPU was found, so the time objective is cpu_seconds: wall seconds on a CPU depend on what else runs there; "
    "for them give --objective f1_macro --objective train_seconds --objective peak_memory_mb"
)


def default_objectives() -> tuple[str, ...]:
    """Return macro F1, training time and peak memory; the time is CPU seconds on a CPU, wall time on a GPU.

    The same two trials took 1.5 s of wall time alone and 11.7 to 13.2 s beside other work on a CPU, while their CPU
    seconds differed by up to half.
    """
    return ON_GPU if accelerators.gpus() or accelerators.has_mps() else ON_CPU
