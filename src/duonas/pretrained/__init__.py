"""Pretrained weights: where they are found, how their files are read, and how a supernet starts from them."""
