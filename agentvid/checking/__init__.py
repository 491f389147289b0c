"""Whether an answer is true to its evidence: statements, rules, a second reader, disagreement, probes."""
