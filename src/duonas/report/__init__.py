"""The report: one self-contained HTML page, a pure function of the run directory's files."""
