"""Models from outside as robots: which joints are moved, and what is added to them."""
