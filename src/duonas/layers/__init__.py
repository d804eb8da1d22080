"""Elastic layers and blocks; each takes its spec as an argument and extracts to plain PyTorch."""
