"""What the process may use: file descriptors, CPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.host.descriptors import DescriptorLimit, descriptors_needed
from ibcf.host.finding import Finding, fine, sysctl, sysctl_path, todo, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ibcf.config import Config
    from ibcf.host.machine import Machine


def descriptors(machine: Machine, config: Config) -> Iterable[Finding]:
    """Compare the hard limit, to which a start raises the soft one, with what the configuration may need."""
    soft, hard = machine.descriptor_limits()
    needed = descriptors_needed(config)
    limit = DescriptorLimit(needed, soft, hard)
    found = f"the border may need {needed} descriptors, the hard limit is {'none' if hard == -1 else hard}"
    if limit.can_be_enough:
        yield fine(found)
        return
    wanted = "enough for limits.connections_max, or connections are refused before that (docker: --ulimit nofile=)"
    folder = "/etc/systemd/system/ibcf.service.d"
    commands = [
        f"mkdir -p {folder} && printf '[Service]\\nLimitNOFILE={needed}\\n' > {folder}/descriptors.conf",
        "systemctl daemon-reload && systemctl restart ibcf",
    ]
    every = machine.read(sysctl_path("fs.nr_open"))
    if every is not None and int(every) < needed:
        commands = [*sysctl("fs.nr_open", needed), *commands]
    yield todo(found, wanted, *commands)


def workers(machine: Machine, config: Config) -> Iterable[Finding]:
    """Compare the workers with the CPUs of this process, and with the share of their time that it may use."""
    cpus, count = machine.cpus(), config.node.workers
    if count > cpus:
        yield todo(
            f"{count} workers on {cpus} CPU(s)",
            f"at most one worker a CPU (node.workers: {cpus}): else workers wait for each other, and calls with them",
        )
    else:
        yield fine(f"{count} worker(s) on {cpus} CPU(s)")
    group = machine.read("/proc/self/cgroup")
    if group is None:
        yield unreadable("/proc/self/cgroup")
        return
    quotas = _quotas(machine, group)
    if quotas is None:
        yield unreadable("cpu.max of our control group")
        return
    quota = min(quotas, default=None)
    if quota is None:
        yield fine("no quota of CPU time")
    elif quota < count:
        yield todo(
            f"the control group may use {quota:g} CPU(s), for {count} worker(s) and the control plane",
            "no quota (in Kubernetes no limits.cpu): once it is spent, everything stands still until the next 100 ms",
            "systemctl set-property ibcf CPUQuota=",
        )
    else:
        yield fine(f"the control group may use {quota:g} CPU(s)")


def _quotas(machine: Machine, group: str) -> list[float] | None:
    """Return the quotas from our control group up to the root, in CPUs; `None` when they cannot be read."""
    quotas: list[float] = []
    is_seen = False
    for line in group.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            texts = [machine.read(f"{folder}/cpu.max") for folder in _up("/sys/fs/cgroup", path)]
        elif "cpu" in controllers.split(","):
            texts = [_of_version_1(machine, folder) for folder in _up("/sys/fs/cgroup/cpu", path)]
        else:
            continue
        # a root has no file: who is in it is without a quota, as far as it is the real one
        is_seen |= any(text is not None for text in texts) or path == "/"
        pairs = [text.split() for text in texts if text is not None]
        quotas += [int(share) / int(period) for share, period in pairs if share.isdecimal()]
    return quotas if is_seen and machine.paths("/sys/fs/cgroup/*") else None


def _up(root: str, path: str) -> list[str]:
    """Return the folders from *root* down to *path* below it."""
    parts = [part for part in path.split("/") if part]
    return ["/".join([root, *parts[:depth]]) for depth in range(len(parts) + 1)]


def _of_version_1(machine: Machine, folder: str) -> str | None:
    """Return what `cpu.max` would hold; a share of -1 means without a quota."""
    share, period = (machine.read(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return None if share is None or period is None else f"{share.strip()} {period.strip()}"
