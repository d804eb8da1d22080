"""Cost models: counted costs and device tables."""
