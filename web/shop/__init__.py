"""What a shop's own pages load from this server: the JavaScript module."""
