"""How fast the agent is, and what it costs, beside its peers."""
