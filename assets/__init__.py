"""Shipped files: robot models, icons, example experiments, pretrained policies."""
