"""The metrics that the border exports, as far as rules and dashboards may use them.

A system test holds this list against a running border, so that neither can drift.
"""

import re

COUNTERS = {
    "ibcf_alarms_total",
    "ibcf_call_attempts_total",
    "ibcf_call_seconds_total",
    "ibcf_cdr_records_total",
    "ibcf_config_reloads_total",
    "ibcf_core_panics_total",
    "ibcf_dns_lookups_total",
    "ibcf_enum_resolutions_total",
    "ibcf_hook_calls_total",
    "ibcf_locations_total",
    "ibcf_parse_errors_total",
    "ibcf_questions_total",
    "ibcf_queue_dropped_total",
    "ibcf_rejections_total",
    "ibcf_sip_messages_total",
    "ibcf_sip_responses_total",
    "ibcf_sip_retransmissions_total",
    "ibcf_socket_receive_drops_total",
    "ibcf_topology_tokens_total",
}
GAUGES = {
    "ibcf_answer_cache_entries",
    "ibcf_build_info",
    "ibcf_calls_active",
    "ibcf_cdr_oldest_unsent_seconds",
    "ibcf_cdr_queue_records",
    "ibcf_config_generation",
    "ibcf_drain_state",
    "ibcf_overload_percent",
    "ibcf_peer_targets",
    "ibcf_peer_up",
    "ibcf_socket_buffer_asked_bytes",
    "ibcf_socket_buffer_bytes",
    "ibcf_tls_certificate_expiry_timestamp_seconds",
    "ibcf_tls_revocation_list_update_timestamp_seconds",
    "ibcf_transactions_active",
}
HISTOGRAMS = {"ibcf_call_setup_delay_seconds", "ibcf_question_seconds"}

KNOWN = COUNTERS | GAUGES | {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "count", "sum")}

_NAME = re.compile(r"(?<![A-Za-z0-9_:])ibcf_[a-z0-9_]+")


def metrics_in(expression: str) -> set[str]:
    """Return the names of our metrics in a PromQL expression.

    >>> sorted(metrics_in('rate(ibcf_x_total{peer="ibcf"}[5m]) / peer:ibcf_asr:ratio'))
    ['ibcf_x_total']
    """
    return set(_NAME.findall(expression))
