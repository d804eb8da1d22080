"""How good and how fast a bundle is, measured on images that nothing before has seen."""
