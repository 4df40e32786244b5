"""What can be done to users and accounts. Every act is journaled in its own transaction."""
