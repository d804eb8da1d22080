"""A pair of plain networks with its facts, independent of search space and supernet."""
