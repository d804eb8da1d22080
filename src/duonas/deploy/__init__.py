"""Export a routed pair to files that run on a device."""
