"""Images: data sets, their disjoint splits, and batches of them on the device."""
