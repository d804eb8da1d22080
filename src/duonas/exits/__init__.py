"""Networks that may stop early: N exits, their costs, their thresholds, and their curve beside a routed pair."""
