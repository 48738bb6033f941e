"""Imitation learning: behavior cloning on demonstrations."""
