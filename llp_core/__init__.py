"""Linkless link prediction: distil a graph neural network into an MLP that needs no graph.

Importing this package starts nothing and reads no file; each module is imported where it is used.
"""

__version__ = "0.1.0"
