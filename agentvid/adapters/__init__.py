"""agentvid inside agents: one registry of typed tools, and one thin file for each protocol or framework."""
