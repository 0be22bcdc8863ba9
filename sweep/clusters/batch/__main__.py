"""``python -m sweep.clusters.batch FOLDER``: the worker of a job."""

from sweep.clusters.batch.worker import main

main()
