"""What tests receive of the telemetry that a gateway exports."""
