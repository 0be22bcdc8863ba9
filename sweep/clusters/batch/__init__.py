"""Workers in jobs of a queueing system: what a site's file says, the queue, and the watch over its jobs."""
