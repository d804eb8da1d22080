"""Measure accuracy and latency of an exported bundle on the test split."""
