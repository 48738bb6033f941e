"""Reinforcement learning on batched worlds: rollouts, advantages, policies, PPO."""
