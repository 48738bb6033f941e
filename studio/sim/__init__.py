"""Batched MuJoCo: scenes, simulations, control, randomization, rendering, kinematics, episodes.

Importing this package has no side effect. Gymnasium ids are registered by ``import studio.gym``; MuJoCo's GL backend is
chosen with the first GL context, by :mod:`studio.sim.render.gl`.
"""
