"""Planners turn a question into a program: by example, or with an LLM."""
