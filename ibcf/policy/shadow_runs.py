"""The run of a candidate policy at a border that serves: begun, looked at and ended by whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibcf.config import read
from ibcf.errors import PolicyError
from ibcf.observe import logs
from ibcf.observe.masking import mask_numbers
from ibcf.policy.replay import as_json
from ibcf.policy.shadow import Shadow, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibcf.config import Loaded
    from ibcf.observe.metrics import Metrics
    from ibcf.policy.replay import Key
    from ibcf.policy.shadow import End

SHARES_A_PERCENT = 100
PERCENT_MIN = 1 / SHARES_A_PERCENT
SECONDS_MAX = 7 * 86_400.0
GROUPS_LOGGED = 10
SAMPLES_LEFT_MAX = 1_024


@dataclass(slots=True)
class ShadowRuns:
    """At most one run at a time; the last one can be looked at until the next begins."""

    folder: Path
    """Candidates stand in it, or below: nobody may have other files read."""
    active: Callable[[], Loaded]
    """Returns the policy in force."""
    sample: Callable[[int], None]
    take: Callable[[int], bytes]
    metrics: Metrics
    run: Shadow | None = None

    def start(self, file: str, percent: float, seconds: float) -> None:
        """Begin a run. Blocks while the candidate is compiled.

        Raises:
            PolicyError: one goes on, or it is not to be had like that.
            ConfigError: the candidate has faults.
        """
        if self.run is not None and self.run.is_running:
            raise PolicyError(f"{self.run.candidate.tree.file} is being tried: stop that first")
        if not PERCENT_MIN <= percent <= 100 or not 1 <= seconds <= SECONDS_MAX:
            raise PolicyError(f"a share is {PERCENT_MIN:g} to 100 percent, for 1s to 7d")
        path = Path(file)
        folder = self.folder.resolve()
        if not path.is_absolute() or not path.resolve().is_relative_to(folder):
            raise PolicyError(f"{file}: a candidate stands in {folder} or below, where the policy in force does")
        candidate = read(path)
        run = Shadow(
            self.active(),
            candidate,
            percent,
            seconds,
            take=self.take,
            observe=self._observe,
            ended=self._ended,
        )
        self.metrics.begin_shadow()
        self.take(SAMPLES_LEFT_MAX)  # of a run before
        self.run = run
        self.sample(round(percent * SHARES_A_PERCENT))
        run.start()
        logs.logger().info(logs.SHADOW_STARTED, path=str(path), percent=percent, seconds=seconds)

    def stop(self, end: End = "stopped") -> None:
        """End the run, if there is one. Blocks for a moment."""
        if self.run is not None:
            self.run.stop(end)
            self.run.join()

    def status(self, *, masked: bool) -> dict[str, Any]:
        """Return what is known of the run, or of the last one."""
        told = shown(self.run)
        if self.run is None:
            return told
        return {**told, **as_json(self.run.counted(), mask_numbers if masked else str)}

    def _observe(self, key: Key | None) -> None:
        self.metrics.observe_shadow(None if key is None else (key.rule_before, key.rule_after))

    def _ended(self, run: Shadow) -> None:
        self.sample(0)
        self.metrics.shadow_running.set(0)
        found = run.counted()
        largest = sorted(found.groups.items(), key=lambda group: -group[1].count)[:GROUPS_LOGGED]
        logs.logger().info(
            logs.SHADOW_ENDED,
            path=run.candidate.tree.file,
            end=run.end,
            error=run.error,
            decided=found.decided,
            different=found.different,
            not_compared=sum(found.skipped.values()),
            groups=[f"{key.rule_before} > {key.rule_after}: {group.count}" for key, group in largest],
        )
