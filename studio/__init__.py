"""Transfer Studio's engine: transfer learning and meta-learning of robot policies, without a window."""

__version__ = "0.1.0"
