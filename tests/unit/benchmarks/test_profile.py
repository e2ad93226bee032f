"""Which part of a call a sample belongs to."""

from benchmarks.profile import Frame, Sample, Sources, parts, samples

KERNEL = "[kernel.kallsyms]"
CORE = "/somewhere/ibcf/_core.abi3.so"
SCRIPT = """\
ibcf-worker-0
\tffffffff8220 _raw_spin_lock ([kernel.kallsyms])
\tffffffff8110 __x64_sys_sendmmsg ([kernel.kallsyms])
\t    7f12c0 __sendmmsg (/usr/lib/libc.so.6)

python
\t    1234 _PyEval_EvalFrameDefault (/usr/bin/python3.11)

"""


def sample(thread: str, *frames: tuple[int, str, str]) -> Sample:
    """Make a sample."""
    return Sample(thread, tuple(Frame(*frame) for frame in frames))


def test_what_perf_tells_is_read_stack_by_stack() -> None:
    """Names with blanks stay whole; a stack ends at an empty line."""
    found = list(samples(SCRIPT.splitlines()))
    assert [(one.thread, len(one.frames)) for one in found] == [("ibcf-worker-0", 3), ("python", 1)]
    assert found[0].frames[1] == Frame(0xFFFFFFFF8110, "__x64_sys_sendmmsg", KERNEL)


def test_a_sample_is_of_a_system_call_a_folder_or_a_thread() -> None:
    """Whatever Python's threads do is theirs; a worker's time is told apart."""
    in_call = sample("ibcf-worker-0", (1, "skb_copy", KERNEL), (2, "__x64_sys_recvmmsg", KERNEL))
    asleep = sample("ibcf-worker-0", (1, "schedule", KERNEL))
    in_core = sample("ibcf-worker-0", (7, "check", CORE))
    in_library = sample("ibcf-worker-0", (8, "memmove", "/usr/lib/libc.so.6"))
    of_python = sample("python", (7, "check", CORE)), sample("python", (1, "schedule", KERNEL))
    sources = Sources({7: "core: parse"})
    assert list(parts([in_call, asleep, in_core, in_library, *of_python], sources)) == [
        "kernel: recvmmsg",
        "kernel: between calls",
        "core: parse",
        "core: libraries",
        "Python's threads",
        "Python's threads: kernel",
    ]
