"""What archs cost: counted, tabled, measured."""
