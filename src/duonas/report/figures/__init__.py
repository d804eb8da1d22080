"""One module a section of the report, one function a figure: from the run's files to a ``Figure``."""
