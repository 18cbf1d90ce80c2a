"""Lorgnette beside what a user would pick instead, under the same load."""
