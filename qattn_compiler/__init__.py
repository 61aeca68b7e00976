"""Compile attention expressions to verified circuits."""
