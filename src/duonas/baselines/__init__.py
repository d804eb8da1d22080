"""Static networks to compare a routed pair with."""
