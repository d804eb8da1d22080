"""Networks that are given: where they come from, what images they want, and their graphs as a pair takes them."""
