"""The HTTP endpoint for metrics, health and status."""
