"""The HTTP service and the ``wangge`` command."""
