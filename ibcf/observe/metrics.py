"""Metrics in the text format of Prometheus: those of the core, read at each scrape, and those of the Python side.

Counters are exported, ratios are left to PromQL; labels come from bounded sets only, never a number, URI or Call-ID.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from ibcf.boundary import Family, decode_families
from ibcf.config.certificates import chain_ends, list_ends
from ibcf.config.tls import read_pem
from ibcf.observe.logs import SafeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from prometheus_client import Metric

    from ibcf.config import Config

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_HOOK_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DNS_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)

# `_created` gauges double the series, and nobody graphs them
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class CoreCollector(Collector):
    """Yields what `Core.statistics` tells."""

    def __init__(self, statistics: Callable[[], bytes]) -> None:
        """Read from *statistics* at each scrape."""
        self._statistics = statistics

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield one family for each of the core's."""
        return [_metric(family) for family in decode_families(self._statistics())]


def _metric(family: Family) -> Metric:
    metric: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if family.kind == "histogram":
        metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        bounds = [_bound(bound) for bound in (*family.bounds, math.inf)]
        for sample in family.samples:
            buckets = list(zip(bounds, map(float, sample.buckets), strict=True))
            metric.add_metric(sample.labels, buckets, sum_value=sample.value)
        return metric
    if family.kind == "counter":
        metric = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for sample in family.samples:
        metric.add_metric(sample.labels, sample.value)
    return metric


def _bound(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else str(float(bound))


class LogCollector(Collector):
    """Yields how many log lines could not be written."""

    def collect(self) -> Iterable[Metric]:
        """Yield the one counter."""
        family = CounterMetricFamily("ibcf_log_dropped", "Log lines that could not be written.")
        family.add_metric((), SafeStream.dropped)
        return [family]


class Metrics:
    """The metrics of the Python side, in a registry of their own."""

    def __init__(self, *, version: str, core_version: str, node: str) -> None:
        """Make all of them, at nought."""
        registry = CollectorRegistry()
        self.registry = registry
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)
        prometheus_client.GCCollector(registry=registry)
        info = Gauge("ibcf_build_info", "Versions; always 1.", ["version", "core_version", "node"], registry=registry)
        info.labels(version, core_version, node).set(1)
        self.config_reloads = Counter(
            "ibcf_config_reloads",
            "Reloads of the configuration, by result and by what asked for them.",
            ["result", "cause"],
            registry=registry,
        )
        self.config_refused = Gauge(
            "ibcf_config_refused",
            "1 while the configuration that came last was refused and an older one serves.",
            registry=registry,
        )
        self.dns_lookups = Counter(
            "ibcf_dns_lookups", "DNS and zone queries, by type and result.", ["type", "result"], registry=registry
        )
        self.dns_seconds = Histogram(
            "ibcf_dns_lookup_seconds",
            "Time of one query.",
            ["type"],
            buckets=_DNS_BUCKETS,
            registry=registry,
        )
        self.enum_results = Counter(
            "ibcf_enum_resolutions",
            "Resolved numbers, by service and outcome class.",
            ["service", "class"],
            registry=registry,
        )
        self.hook_calls = Counter(
            "ibcf_hook_calls",
            "Requests that a hook was asked about, by rule and outcome; after all but verdicts its fallback follows.",
            ["rule", "outcome"],
            registry=registry,
        )
        self.hook_seconds = Histogram(
            "ibcf_hook_seconds",
            "From asking a hook to its answer, or to its deadline.",
            ["rule"],
            buckets=_HOOK_BUCKETS,
            registry=registry,
        )
        self.hook_threads = Counter(
            "ibcf_hook_threads_replaced",
            "Threads of hooks that were left to themselves since something blocked them.",
            registry=registry,
        )
        self.trace_messages = Counter(
            "ibcf_trace_messages",
            "Messages of mirrored calls, by what became of their copies.",
            ["result"],
            registry=registry,
        )
        self.shadow_running = Gauge(
            "ibcf_shadow_running", "1 while a candidate policy decides a share of the traffic too.", registry=registry
        )
        self.shadow_requests = Counter(
            "ibcf_shadow_requests",
            "Requests that a candidate policy decided too, by whether it came to the same.",
            ["result"],
            registry=registry,
        )
        self.shadow_disagreements = Counter(
            "ibcf_shadow_disagreements",
            "Requests that a candidate policy decided otherwise, by the rules that decided; of the last run only.",
            ["rule", "candidate_rule"],
            registry=registry,
        )
        self.locations = Counter(
            "ibcf_locations",
            "Locations of next hops (RFC 3263), by outcome; stale: an old answer served since DNS failed.",
            ["result"],
            registry=registry,
        )
        self.locations_remembered = Gauge(
            "ibcf_locations_remembered",
            "Last good locations kept for when DNS fails; at most `locator.names_max`.",
            registry=registry,
        )
        self.peer_targets = Gauge(
            "ibcf_peer_targets", "Targets of a peer that is given as a domain.", ["peer"], registry=registry
        )
        self.certificate_ends = Gauge(
            "ibcf_tls_certificate_expiry_timestamp_seconds",
            "When the first certificate of a chain of ours expires, by its id.",
            ["name"],
            registry=registry,
        )
        self.revocations_end = Gauge(
            "ibcf_tls_revocation_list_update_timestamp_seconds",
            "When the revocation lists of a peer are out of date.",
            ["peer"],
            registry=registry,
        )
        self.cdr_records = Counter(
            "ibcf_cdr_records", "Charging records, by what became of them.", ["sink", "result"], registry=registry
        )
        self.cdr_queue = Gauge("ibcf_cdr_queue_records", "Records that are not on disk yet.", registry=registry)
        self.cdr_queue_limit = Gauge(
            "ibcf_cdr_queue_limit", "Records that may wait for the disk; more are lost.", registry=registry
        )
        self.cdr_oldest = Gauge(
            "ibcf_cdr_oldest_unsent_seconds", "Age of the oldest record that is not on disk yet.", registry=registry
        )
        self.cdr_files = Counter("ibcf_cdr_files_closed", "Record files closed and renamed.", registry=registry)
        self.alarms = Counter("ibcf_alarms", "Alarms raised, by name.", ["name"], registry=registry)
        self.refused = Counter(
            "ibcf_messages_refused", "Messages refused before they became calls.", ["reason"], registry=registry
        )
        self.unreadable = Counter(
            "ibcf_events_unreadable", "Events of the core that could not be read.", registry=registry
        )
        self._hook_rules: set[str] = set()
        registry.register(LogCollector())
        for result in ("written", "lost"):
            self.trace_messages.labels(result)
        for result in ("same", "otherwise"):
            self.shadow_requests.labels(result)
        for result in ("found", "not_found", "failed", "stale"):
            self.locations.labels(result)
        for result in ("ok", "failed"):
            for cause in ("signal", "admin", "file", "rollback"):
                self.config_reloads.labels(result, cause)
        for result in ("written", "lost"):
            self.cdr_records.labels("file", result)

    def note_reload(self, cause: str, *, ok: bool) -> None:
        """Count a reload, and say whether what came last is in force."""
        self.config_reloads.labels("ok" if ok else "failed", cause).inc()
        self.config_refused.set(0 if ok else 1)

    def show_certificates(self, config: Config) -> None:
        """Show when what *config* names for TLS ends, and nothing else any more."""
        self.certificate_ends.clear()
        self.revocations_end.clear()
        for identity in config.tls:
            if (end := chain_ends(read_pem(identity.certificate))) is not None:
                self.certificate_ends.labels(identity.id).set(end.timestamp())
        for peer in config.peers:
            if peer.tls is None or peer.tls.revocations is None:
                continue
            if (end := list_ends(read_pem(peer.tls.revocations))) is not None:
                self.revocations_end.labels(peer.id).set(end.timestamp())

    def observe_lookup(self, kind: str, result: str, seconds: float) -> None:
        """Count one query."""
        self.dns_lookups.labels(kind, result).inc()
        self.dns_seconds.labels(kind).observe(seconds)

    def observe_hook(self, rule: str, outcome: str, seconds: float) -> None:
        """Count what came of asking a hook."""
        self.hook_calls.labels(rule, outcome).inc()
        self.hook_seconds.labels(rule).observe(seconds)

    def show_hooks(self, rules: Collection[str], outcomes: Collection[str]) -> None:
        """Show the hooks of *rules*, from their first request on, and none that is gone."""
        for rule in self._hook_rules.difference(rules):
            self.hook_seconds.remove(rule)
            for outcome in outcomes:
                self.hook_calls.remove(rule, outcome)
        for rule in rules:
            self.hook_seconds.labels(rule)
            for outcome in outcomes:
                self.hook_calls.labels(rule, outcome)
        self._hook_rules = set(rules)

    def count_traced(self, result: str, count: int = 1) -> None:
        """Count messages of mirrored calls."""
        self.trace_messages.labels(result).inc(count)

    def begin_shadow(self) -> None:
        """Show that a candidate decides, and nothing any more that another one did."""
        self.shadow_disagreements.clear()
        self.shadow_running.set(1)

    def observe_shadow(self, rules: tuple[str, str] | None) -> None:
        """Count a request that a candidate decided: by which rules otherwise, or the same."""
        self.shadow_requests.labels("same" if rules is None else "otherwise").inc()
        if rules is not None:
            self.shadow_disagreements.labels(*rules).inc()

    def forget_peer_targets(self, peer: str) -> None:
        """Show a peer no more that went, or is not given as a domain any more."""
        with contextlib.suppress(KeyError):
            self.peer_targets.remove(peer)

    def watch_core(self, statistics: Callable[[], bytes]) -> None:
        """Add what the core counts."""
        self.registry.register(CoreCollector(statistics))

    def render(self) -> bytes:
        """Return everything as text."""
        return prometheus_client.generate_latest(self.registry)
