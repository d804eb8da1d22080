"""A page in the browser that shows what a bundle answers and what its threshold does (the extra ``demo``)."""
