"""Metrics of core and Python side in one exposition."""

import json
import shutil
import subprocess

from ibcf.observe.health import Health, State
from ibcf.observe.metrics import Metrics
from tests.parts import missing

FAMILIES = [
    {
        "name": "ibcf_call_attempts_total",
        "kind": "counter",
        "help": "Finished call attempts.",
        "labels": ["peer", "outcome"],
        "bounds": [],
        "samples": [{"labels": ["carrier_a", "answered"], "value": 5.0, "buckets": []}],
    },
    {
        "name": "ibcf_calls_active",
        "kind": "gauge",
        "help": "Calls in progress.",
        "labels": [],
        "bounds": [],
        "samples": [{"labels": [], "value": 2.0, "buckets": []}],
    },
    {
        "name": "ibcf_call_setup_delay_seconds",
        "kind": "histogram",
        "help": "From INVITE to the first 18x.",
        "labels": ["peer"],
        "bounds": [0.05, 1.0],
        "samples": [{"labels": ["carrier_a"], "value": 3.25, "buckets": [1, 2, 4]}],
    },
]


def make() -> Metrics:
    """Make metrics over a core that counted something."""
    metrics = Metrics(version="1", core_version="2", node="ibcf-1")
    metrics.watch_core(lambda: json.dumps(FAMILIES).encode())
    return metrics


def test_families_of_the_core_are_exposed_under_their_names() -> None:
    """Counter, gauge and histogram come out as the core counted them, buckets cumulative with +Inf."""
    lines = make().render().decode().splitlines()
    assert 'ibcf_call_attempts_total{outcome="answered",peer="carrier_a"} 5.0' in lines
    assert "ibcf_calls_active 2.0" in lines
    assert 'ibcf_call_setup_delay_seconds_bucket{le="0.05",peer="carrier_a"} 1.0' in lines
    assert 'ibcf_call_setup_delay_seconds_bucket{le="+Inf",peer="carrier_a"} 4.0' in lines
    assert 'ibcf_call_setup_delay_seconds_count{peer="carrier_a"} 4.0' in lines
    assert 'ibcf_call_setup_delay_seconds_sum{peer="carrier_a"} 3.25' in lines


def test_registering_does_not_scrape() -> None:
    """The core is asked when somebody scrapes, not before."""
    asked = []

    def statistics() -> bytes:
        asked.append(1)
        return b"[]"

    metrics = Metrics(version="1", core_version="2", node="n")
    metrics.watch_core(statistics)
    assert asked == []
    metrics.render()
    assert asked == [1]


def test_lookups_are_counted_and_timed() -> None:
    """A query shows up by type and result, and in the histogram."""
    metrics = make()
    metrics.observe_lookup("naptr", "found", 0.003)
    text = metrics.render().decode()
    assert 'ibcf_dns_lookups_total{result="found",type="naptr"} 1.0' in text
    assert 'ibcf_dns_lookup_seconds_bucket{le="0.005",type="naptr"} 1.0' in text
    assert 'ibcf_build_info{core_version="2",node="ibcf-1",version="1"} 1.0' in text
    assert "_created" not in text


def test_the_linter_of_prometheus_is_content() -> None:
    """`promtool check metrics` finds nothing wrong with any of them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool", "apt-get install prometheus")
    metrics = make()
    metrics.observe_lookup("naptr", "found", 0.003)
    linted = subprocess.run(  # noqa: S603 - found on the path
        [promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_health_follows_the_state() -> None:
    """Ready only while serving; alive until stopped or broken."""
    health = Health()
    assert (health.is_live, health.is_ready) == (True, False)
    health.state = State.SERVING
    assert (health.is_live, health.is_ready) == (True, True)
    health.state = State.DRAINING
    assert (health.is_live, health.is_ready) == (True, False)
    health.fault = "broken"
    assert (health.is_live, health.is_ready) == (False, False)
