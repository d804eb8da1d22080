"""The tables and figures of a paper: which studies each needs, and how it is drawn from their runs."""
