"""Measure retrieval, grounding and answers on annotated sets: metrics, readers of published sets, baselines."""
