"""The only door to a broker. Nothing else in the product opens a connection to an OpenAlgo server's REST API."""
