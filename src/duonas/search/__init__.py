"""Which pair: every arch is evaluated once, and every pair and threshold is then arithmetic."""
