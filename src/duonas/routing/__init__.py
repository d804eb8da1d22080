"""Who runs: scores, their calibration, exact thresholds, and the pair that really skips."""
