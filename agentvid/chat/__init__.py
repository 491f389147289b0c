"""`agentvid chat`: a conversation in the terminal. It parses and prints; what it knows it asks of `Library`."""
