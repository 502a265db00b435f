"""Triton kernels: what a GPU computes besides products of matrices.

Each is tested in Triton's interpreter against the models' own forward pass and automatic
differentiation, so that a machine without a GPU can tell whether it is right.
"""
