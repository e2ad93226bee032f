"""What the operator sees of the running border: logs, metrics, health."""
