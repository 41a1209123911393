"""Traces for an OpenTelemetry collector, with the extra `otel`; without a collector nothing of it is imported."""
