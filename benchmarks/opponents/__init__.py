"""The opponents, a module for each library."""
