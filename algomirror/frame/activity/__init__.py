"""The journal as a page: who did what, from where, when and why."""
