"""Request counters and latencies for Prometheus."""
