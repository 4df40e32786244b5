"""What every endpoint of /api/v1/ has in common. Endpoints themselves live in the rooms, as api.py."""
