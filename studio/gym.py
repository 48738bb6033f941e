"""Registers the worlds' Gymnasium ids, as Gymnasium expects of a module that offers environments.

    import gymnasium
    import studio.gym

    env = gymnasium.make("studio/HalfCheetah-v5")

``gymnasium.make("studio.gym:studio/HalfCheetah-v5")`` imports this module itself, in each process that asks for it.
:func:`studio.sim.gymnasium_ids.register_all` is the same without an import.
"""

from studio.sim.gymnasium_ids import register_all

register_all()
