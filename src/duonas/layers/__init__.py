"""Elastic layers and blocks, which run by a spec as an argument, and their plain counterparts."""
