"""Lorgnette compared with the alternatives, under the same load."""
