"""Scripted experts of one hand: push a block along a straight way; grasp a block and put it down."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# pushing, m
LOW = 0.03  # height of the tool's tip that pushes
CLEAR = 0.09  # height that passes over the block
BEHIND = 0.06  # from the block's center to where the tool comes down
LANE = 0.025  # half-width of the lane behind the block from which the tool pushes
# grasping, m
HOVER, CARRY = 0.10, 0.09  # heights of the tool above the table on the way to the block, and with it
AT = 0.012  # how near the fingers' middle the block is when they may close
OPEN = 0.034  # an opening that goes around the block


def push_along(tool: Array, block: Array, way: Array, step_size: float, behind: float = BEHIND) -> Array:
    """Return a hand's move, (n, 3) in [−1, 1]: over the block to its far side, down, and along the way.

    Args:
        tool: the hand's position, (n, 3), m.
        block: the block's center, (n, 3), m.
        way: where to push it, (n, 2), of length 1.
        step_size: m that the hand moves in one step at action 1.
        behind: from the block's center to where the tool comes down, m.
    """
    across = np.stack([-way[:, 1], way[:, 0]], 1)
    offset = (tool - block)[:, :2]
    along, side = (offset * way).sum(1), (offset * across).sum(1)
    start = block[:, :2] - behind * way - tool[:, :2]
    height = tool[:, 2]
    down = height < CLEAR - 0.02
    lane = (along < -0.02) & (along > -0.12) & (np.abs(side) < LANE)
    above = ~down & (np.linalg.norm(start, axis=1) < 0.015)
    # in the lane: down first, then forward, always back to the lane's middle
    pushing = 0.03 * np.clip((LOW + 0.02 - height) / 0.01, 0, 1)[:, None] * way - side[:, None] * across
    aside = np.where((down & ~lane)[:, None], 0.0, start)
    plane = np.where((down & lane)[:, None], pushing, aside)
    rise = np.where((down & lane) | above, LOW - height, CLEAR - height)
    return np.clip(np.concatenate([plane, rise[:, None]], 1) / step_size, -1, 1)


def grasp_and_place(tool: Array, opening: Array, block: Array, way: Array, half: float, step_size: float) -> Array:
    """Return a hand's move and its gripper, (n, 4) in [−1, 1]: over the block, down, close; up, over the place, down,
    open.

    Args:
        tool: the hand's position, (n, 3), m.
        opening: how far it is open, from the middle to a finger, (n,), m.
        block: the block's center, (n, 3), m.
        way: from there to where it is to lie, (n, 3), m.
        half: the block's half edge, m.
        step_size: m that the hand moves in one step at action 1.
    """
    offset = block - tool
    beside = np.linalg.norm(offset[:, :2], axis=1)
    left = np.linalg.norm(way[:, :2], axis=1)
    between = (beside < 0.02) & (np.abs(offset[:, 2]) < 0.014)  # the fingers are around it
    held = between & (opening < half + 0.003)
    there = left < 0.02

    # without the block: high above it first, then down with open fingers
    over = (beside < AT) & (opening > OPEN)
    high = tool[:, 2] > HOVER - 0.03
    plane = np.where((over | high)[:, None], offset[:, :2], 0.0)
    rise = np.where(over, offset[:, 2], HOVER - tool[:, 2])
    # with it: up, and forward as soon as it is off the table; over its place down again
    lifted = np.clip((block[:, 2] - half - 0.02) / 0.02, 0, 1)
    carry = way[:, :2] * np.where(there, 1.0, lifted)[:, None]
    plane = np.where(held[:, None], carry, plane)
    rise = np.where(held, np.where(there, way[:, 2], CARRY - tool[:, 2]), rise)
    # around it but open: close, unless it lies where it belongs
    still = between & ~held
    plane = np.where(still[:, None], offset[:, :2] * 0.5, plane)
    rise = np.where(still, offset[:, 2], rise)

    put = there & (way[:, 2] > -0.004)
    grip = np.where(between & ~put, -1.0, 1.0)
    move = np.clip(np.concatenate([plane, rise[:, None]], 1) / step_size, -1, 1)
    return np.concatenate([move, grip[:, None]], 1)
