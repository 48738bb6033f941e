"""Meta-learning: task splits, trials, adaptation."""
