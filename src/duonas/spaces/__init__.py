"""Search spaces, one file a family: its axes, its supernet, its presets."""
