"""What runs a bundle, one file each."""
