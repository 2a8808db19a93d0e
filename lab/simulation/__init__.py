"""A whole call centre without a wire: the server's own parts on a virtual clock, crashed at any instant (`street`)."""
