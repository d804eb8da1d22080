"""What a routed pair is compared with."""
