"""Spans of traces, as the parts that are traced know them: which one they run in, and how to begin one inside it."""
