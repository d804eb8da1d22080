"""Search spaces: each file has the axes, presets and supernet of one family."""
