"""What Python code and notebooks call: runs as objects, and functions that show their progress."""
