"""Composers turn what a program found into claims with evidence: by fixed sentence forms, or with an LLM."""
