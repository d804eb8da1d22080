"""How a supernet is trained."""
